"""Learning by playing, as a training run: a policy and a network for values."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from resexp.data.draws import permutation
from resexp.errors import Diverged, TrialError
from resexp.models.build import started_network
from resexp.random import key_of, keyed_generator
from resexp.tasks import policies
from resexp.tasks.base import PolicyGradient
from resexp.training.playing.episodes import Game, mean_return, play
from resexp.training.playing.probed import with_value
from resexp.training.playing.scale import Scale
from resexp.training.run import Run
from resexp.training.subject import Subject

if TYPE_CHECKING:
    from resexp.config.settings import Settings
    from resexp.data.environment import Environment
    from resexp.data.opening import Data

ROUNDING = 1e-6
"""A return may lie outside the range of possible returns by at most this share of the range."""


class PlayingRun(Run):
    """The policy of a trial, and how far its training has come: a `training.learner.Learner`.

    `network` is the policy and `value` the other network, each with its optimiser. The first step of an epoch
    begins by playing, and what happened there is the `experience` that all steps of the epoch learn from.
    Shape suffixes: T steps, E games, N = T * E, F features of an observation.
    """

    def __init__(self, settings: Settings, data: Data, device: torch.device) -> None:
        super().__init__(settings, data, device)
        self.source: Environment = settings.data.build()
        seed = settings.seed
        own = key_of(seed, "value")  # with `seed`, equal layers of both networks would begin equal
        self.value = started_network(settings.model, self.player.purposes(data.facts)[1], own).to(device)
        self.value_optimizer = self.recipe.make(self.value.parameters())
        *_, (_, head) = self.network.weight_layers()
        with torch.no_grad():
            head.weight.mul_(self.player.first_scale)
        envs = [self.source.make() for _ in range(self.player.games)]
        self.games = [Game(env, partial(key_of, seed, "episode", e)) for e, env in enumerate(envs)]
        self.audience = [self.source.make() for _ in self.source.seeds()]
        """The environments in which the policy is evaluated."""
        self.choice = not envs[0].action_space.shape
        self.scale = Scale(data.facts.shape[0], self.player.normalise)
        self.experience: dict[str, Tensor] = {}
        self.played = 0
        """The number of epochs whose experience has been collected."""
        self.returns: list[float] = []
        """The returns of the training episodes that ended while the present experience was collected."""
        self.regrets, self.evaluated = 0.0, 0
        """The sum of the test regrets of all epochs up to epoch `evaluated`, the last that was evaluated. An
        epoch without an evaluation counts with the regret of the next epoch that has one.
        """
        self.solved_after: int | None = None

    def epoch_length(self) -> tuple[int, int]:
        return self.player.games * self.player.rollout, self.player.passes

    @property
    def player(self) -> PolicyGradient:
        """The task, which is a PolicyGradient."""
        return cast(PolicyGradient, self.task)

    # -- playing ----------------------------------------------------------------------------------

    @torch.no_grad()
    def collect(self) -> None:
        """Play every game for `rollout` steps, and keep as `experience` what the networks learn from. Raises
        Diverged if an output of a network is not finite.
        """
        self.scale.renew()  # only here, so that the evaluation after the epoch uses the same scale
        generator = keyed_generator(self.settings.seed, self.played, "actions")
        self.network.eval()

        def act(seen_EF: Tensor) -> tuple[Tensor, Tensor]:
            output_EA = self.outputs(self.network, seen_EF)
            actions_EK = policies.drawn(output_EA, self.choice, generator)
            return actions_EK, policies.log_probability(output_EA, actions_EK)

        played = play(self.games, act, self.player.rollout)
        self.value.eval()
        values_TE = self.values(played.seen_TEF.flatten(0, 1)).view_as(played.rewards_TE)
        cut_TE = torch.zeros_like(values_TE)
        for (t, e), seen_F in played.cut.items():
            cut_TE[t, e] = self.values(seen_F[None])[0]
        last_E, ended_TE = self.values(played.last_EF), played.ended_TE
        advantages_TE = self.player.advantages(played.rewards_TE, values_TE, last_E, ended_TE, cut_TE)
        told = (played.actions_TEK, played.before_TE[..., None], advantages_TE[..., None])
        seen_NF = played.seen_TEF.flatten(0, 1)
        experience = {
            "seen": self.scale(seen_NF),
            "target": torch.cat(told, dim=2).flatten(0, 1),
            "returns": (advantages_TE + values_TE).flatten(),
        }
        self.experience = {name: part.to(self.device) for name, part in experience.items()}
        self.scale.add(seen_NF)
        self.returns, self.played = played.returns, self.played + 1

    def outputs(self, network: nn.Module, seen_BF: Tensor) -> Tensor:
        """A network's outputs for observations, on the CPU. Raises Diverged if an output is not finite."""
        output: Tensor = network(self.scale(seen_BF).to(self.device)).cpu()
        if not output.isfinite().all():
            raise Diverged(f"an output of a network was not a number by step {self.step} of {self.total}")
        return output

    def values(self, seen_BF: Tensor) -> Tensor:
        return self.outputs(self.value, seen_BF)[:, 0]

    # -- one step ---------------------------------------------------------------------------------

    def train_step(self) -> None:
        """Take one step of both networks. Raises Diverged if a loss or an output is not finite."""
        with self._clock():
            if self.played == self.epoch:
                self.collect()
            index = self._next_index()
            inputs, target, returns = (self.experience[name][index] for name in ("seen", "target", "returns"))
            loss, output = self.forward_pass(inputs, target)
            both = loss + self.player.value_loss(self.value.train()(inputs)[:, 0], returns)
            torch.autograd.backward(both)
            self.update()
            self.account(both, output, target)

    def _next_index(self) -> Tensor:
        per_pass = self.steps_per_epoch // self.player.passes
        number, place = divmod(self.step % self.steps_per_epoch, per_pass)
        if self._ordered_epoch != self.step - place:  # the step with which the pass begins
            key = key_of(self.settings.seed, self.epoch, number, "pass")
            self._order = permutation(len(self.experience["seen"]), key, 0).to(self.device)
            self._ordered_epoch = self.step - place
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]

    def update(self) -> None:
        """Change the weights of both networks. Their gradients are clipped together."""
        if self.settings.training.clip is not None:
            both = [*self.network.parameters(), *self.value.parameters()]
            torch.nn.utils.clip_grad_norm_(both, self.settings.training.clip)
        self.change(self.optimizer)
        self.change(self.value_optimizer)

    # -- measuring --------------------------------------------------------------------------------

    def close_epoch(self) -> dict[str, Any]:
        """The metrics row of the epoch that has just ended, with an evaluation if it is due.

        `running_error` is the mean regret of the training episodes that ended in this epoch.
        """
        row = self.end_epoch()
        epoch = row["epoch"]
        ended = [self.regret(each) for each in self.returns]
        return {
            **row,
            "running_error": sum(ended) / len(ended) if ended else None,
            **dict.fromkeys(f"{split}_{what}" for split in self.data.splits for what in ("error", "loss")),
            "test_measures": None,
            **(self.evaluate(epoch) if self.evaluation_due("test", epoch) else {}),
            "most_answered": {},
        }

    @torch.inference_mode()
    def evaluate(self, epoch: int) -> dict[str, Any]:
        """Play the evaluation episodes after this epoch, with observations scaled as in this epoch. Returns
        the errors and measures.
        """
        self.network.eval()

        def act(seen_EF: Tensor) -> Tensor:
            return policies.likeliest(self.outputs(self.network, seen_EF), self.choice)

        found = mean_return(self.audience, self.source.seeds(), act)
        interactions = self.played * self.player.games * self.player.rollout
        threshold = self.source.solved_at()
        if threshold is not None and found >= threshold and self.solved_after is None:
            self.solved_after = interactions
        regret = self.regret(found)
        self.regrets += (epoch - self.evaluated) * regret
        self.evaluated = epoch
        measures = {
            "return": found,
            "interactions": interactions,
            "threshold": threshold,
            "solved_after": self.solved_after,
        }
        return {"train_error": self.regrets / epoch, "test_error": regret, "test_measures": measures}

    def regret(self, value: float) -> float:
        """How far a return is from the largest possible one, as a share of the range of possible returns.

        Raises TrialError if the return is outside that range.
        """
        low, high = self.source.bounds()
        share = (high - value) / (high - low)
        if not -ROUNDING <= share <= 1 + ROUNDING:
            wrong = f"a return of {value:g} is outside data.least and data.largest, {low:g} and {high:g}"
            raise TrialError(f"{wrong}; give bounds that no return exceeds")
        return min(1.0, max(0.0, share))

    def chance(self) -> dict[str, float]:
        """The regret of actions that are drawn without regard to what is seen."""
        generator = keyed_generator("chance")

        def act(seen_EF: Tensor) -> Tensor:
            blind_EA = torch.zeros(len(seen_EF), len(self.data.facts.classes))
            return policies.drawn(blind_EA, self.choice, generator)

        regret = self.regret(mean_return(self.audience, self.source.seeds(), act))
        return {"train": regret, "test": regret}

    def fixed_batch(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """A batch for probes from the latest experience: observations, targets, and targets once more."""
        if not self.experience:
            self.collect()
        inputs, target = self.experience["seen"][:size], self.experience["target"][:size]
        return inputs, target, target

    def subject(self, name: str) -> Subject:
        return with_value(super().subject(name), self)

    def opened(self) -> nn.Module:
        """The policy in eval mode. It takes observations of the environment, and scales them itself."""
        policy = super().opened()
        policy.register_forward_pre_hook(lambda _, seen: tuple(map(self.scale, seen)))
        return policy

    # -- saving -----------------------------------------------------------------------------------

    KEPT = ("played", "returns", "experience", "regrets", "evaluated", "solved_after")

    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            **{name: getattr(self, name) for name in self.KEPT},
            "value": self.value.state_dict(),
            "value_optimizer": self.value_optimizer.state_dict(),
            "scale": self.scale.state(),
            "games": [game.state() for game in self.games],
        }

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        for name in self.KEPT:
            setattr(self, name, state[name])
        self.value.load_state_dict(state["value"])
        self.value_optimizer.load_state_dict(state["value_optimizer"])
        self.scale.restore(state["scale"])
        for game, saved in zip(self.games, state["games"], strict=True):
            game.restore(saved)
