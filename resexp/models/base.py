"""The interface of networks: a stem, a flat list of blocks, and a head. A trunk is a kind of network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, Connection, Site
from resexp.options import Activation, Norm, Placement


@dataclass(frozen=True)
class Purpose:
    """What a task asks of a network: `classes` numbers for each unit of an example that has this `shape`.

    Images have the shape (C, H, W), waveforms (C, T), tokens (T,), and rows and observations (F,).

    `targets` says what the units are: whole examples ("labels" and "actions", output (B, classes)), pixels
    ("masks", output (B, classes, H, W)), or characters ("tokens", output (B, classes, T)). With "images", the
    network learns from the images alone, and its output is whatever it and its task agree on. With "noise",
    the network makes examples of this `shape` from noise (B, classes). `causal`: True means that outputs must
    not see later positions, False that they must, None that either is fine.
    """

    shape: tuple[int, ...]
    classes: int
    targets: str = "labels"
    causal: bool | None = None

    def made_up(self, batch: int, device: torch.device | str) -> Tensor:
        """Made-up inputs of the right shape and type: noise (batch, *shape), noise (batch, classes) for the
        targets "noise", or tokens (batch, T), all 0.
        """
        if self.targets == "tokens":
            return torch.zeros(batch, *self.shape, dtype=torch.long, device=device)
        if self.targets == "noise":
            return torch.randn(batch, self.classes, device=device)
        return torch.randn(batch, *self.shape, device=device)


@dataclass(frozen=True)
class Design:
    """What every trunk builds its network from, besides its own options.

    The trunk decides whether `depth` counts weight layers or transformer layers. `shape`, `classes` and
    `causal` are as in `Purpose`. `connection` builds the connection of a site.
    """

    depth: int
    shape: tuple[int, ...]
    classes: int
    connection: Callable[[Site], Connection]
    order: Placement = "post"
    norm: Norm = "batch"
    activation: Activation = "relu"
    causal: bool | None = None


class Block(nn.Module):
    """A connection with the branch that it merges into the state, and the steps `after` the merge.

    In a post-activation network, ReLU follows the merge. `before` are steps before the state splits into
    shortcut and branch; usually there are none.
    """

    def __init__(
        self,
        connection: Connection,
        branch: nn.Module,
        after: nn.Module,
        before: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.before = before
        self.branch = branch
        self.connection = connection
        self.after = after

    def forward(self, h: Any) -> Any:
        return self.around(h, self.branch)

    def around(self, h: Any, f: Branch) -> Any:
        """The state after this block, computed with f in place of the branch."""
        h = self.merged(h, f)
        return (self.after(h[0]), *h[1:]) if isinstance(h, tuple) else self.after(h)

    def merged(self, h: Any, f: Branch) -> Any:
        """What the connection makes of the state and f, before the steps `after` the merge."""
        return self.connection(h if self.before is None else self.before(h), f)


def h_of(state: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The h of a state, which is h itself or a tuple (h, *memory)."""
    return state[0] if isinstance(state, tuple) else state


class Network(nn.Module, ABC):
    """Images (B, C, H, W), waveforms (B, C, T) or tokens (B, T) -> logits (B, classes, ...): see `Purpose`.

    States have their channels in dimension 1: (B, C), (B, C, H, W), or (B, C, T) for tokens. `blocks` is
    a flat list, in the order in which an input goes through the blocks. Figures of probes have a block's
    index on their x axis. `sites` are those for which `build_network` built connections, in that order.
    """

    sites: tuple[Site, ...] = ()

    def __init__(self, stem: nn.Module, blocks: Sequence[Block], head: nn.Module) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)
        self.head = head

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The logits."""

    def in_order(self) -> list[Block]:
        """The blocks, in the order in which an input goes through them."""
        return cast("list[Block]", list(self.blocks))

    def weight_layers(self) -> Iterator[tuple[str, nn.Conv2d | nn.Linear]]:
        """Yield (name, layer) for the layers that count as depth, in order: those of stem, branches and head.

        Layers of connections and layers inside another layer do not count.
        """
        layers: set[str] = set()
        for name, module in self.named_modules():
            if not isinstance(module, nn.Conv2d | nn.Linear) or ".connection." in name:
                continue
            if name.rpartition(".")[0] not in layers:
                layers.add(name)
                yield name, module


class Series(Network, ABC):
    """A network whose blocks can be run one after another, starting with the stem's output.

    Its `forward` may do more. Probes that read the states between blocks need a network of this type.
    """


class Chain(Series):
    """A network in which each block's state goes to the next block only, and the last state to the head."""

    def forward(self, x: Tensor) -> Tensor:
        blocks = self.in_order()
        h = blocks[0].connection.enter(self.stem(x))
        for block in blocks:
            h = block(h)
        logits: Tensor = self.head(blocks[-1].connection.leave(h))
        return logits


class ModelKind:
    """A kind of model. Its options are the keyword-only arguments of its constructor.

    `network` is the class of network that it builds, or None if it builds none, as in boosting.
    `whole_batch` is as in `Connection`.
    `targets` lists the targets of tasks that it can do, `forms` the forms of examples that it takes, and
    `connections` the base classes of connections that it accepts. `idle` lists dotted keys of settings that
    have no effect on it.
    """

    network: ClassVar[type[Network] | None] = None
    targets: ClassVar[tuple[str, ...]] = ("labels",)
    forms: ClassVar[tuple[str, ...]]
    connections: ClassVar[tuple[type[Connection], ...]] = (Connection,)
    whole_batch: ClassVar[bool] = False
    idle: ClassVar[tuple[str, ...]] = ()


class Trunk(ModelKind, ABC):
    """A recipe for networks of one kind."""

    network: ClassVar[type[Network] | None] = Chain
    forms: ClassVar[tuple[str, ...]] = ("images", "text")

    @abstractmethod
    def build(self, design: Design) -> Network:
        """The network, with PyTorch's default weights.

        Raises:
            ConfigError: this trunk cannot have the design's depth or shape; the error names what it can have.
        """


class Booster(ModelKind, ABC):
    """A recipe for an ensemble that boosting trains. `depth` is the number of rounds. Each round trains one
    learner, which accepts weighted rows.

    In the first round, a shortcut adds `beta` times the old weights to the new ones. `rule` says how `beta`
    changes in later rounds.
    """

    forms: ClassVar[tuple[str, ...]] = ("rows",)
    idle: ClassVar[tuple[str, ...]] = (
        *("model.order", "model.norm", "model.activation", "model.init", "model.match"),
        *("task.label_smoothing", "training.iterations", "training.epochs", "training.batch_size"),
        *("training.optimizer", "training.schedule", "training.precision", "training.clip"),
        *("training.compile", "training.channels_last", "training.test_every", "training.train_every"),
        *("training.processes", "training.sync_norm"),
    )

    def __init__(self, beta: float, rule: str) -> None:
        self.beta, self.rule = beta, rule

    @abstractmethod
    def weak_learner(self) -> Any:
        """A new learner with `fit(x, y, sample_weight)` and `predict(x)`: rows x (n, d), labels y (n,)."""
