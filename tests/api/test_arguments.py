"""What a notebook passes to the functions of this package is checked before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import resexp
from resexp import api
from resexp.config.load import Experiment
from resexp.errors import ConfigError


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda e: api.load(3), "api.load: path: is 3; give the path of a YAML file"),
        (
            lambda e: api.load("x.yaml", "model.depth=8"),
            "overrides: is 'model.depth=8'; give a list",
        ),
        (lambda e: api.load("x.yaml", {"seed": 8}), "overrides: is {'seed': 8}; give a list"),
        (lambda e: api.load("x.yaml", plugins="my.py"), "plugins: is 'my.py'; give a list of paths"),
        (lambda e: api.load("x.yaml", tier=None), "tier: is None; give a text"),
        (
            lambda e: api.trials("x.yaml"),
            "api.trials: experiment: is 'x.yaml'; give what",
        ),
        (lambda e: api.run("x.yaml"), "api.run: experiment: is 'x.yaml'; give what resexp.load returns"),
        (lambda e: api.run(e, device=0), "device: is 0; give a text"),
        (lambda e: api.run(e, jobs="2"), "jobs: is '2'; give a whole number of at least 1, \"auto\" or None"),
        (lambda e: api.run(e, jobs=0, threads=0.5), "jobs: is 0; give .*\\n.*threads: is 0.5; give a whole"),
        (lambda e: api.run(e, results=3), "results: is 3; give the path of a folder"),
        (lambda e: api.run(e, only="seed=0"), "only: is 'seed=0'; give a list of texts"),
        (lambda e: api.run(e, stall_timeout=True), "stall_timeout: is True; give a number of seconds"),
        (lambda e: api.run(e, fresh="no"), "fresh: is 'no'; give True or False"),
        (lambda e: api.run(e, tell=3), "tell: is 3; give a function"),
        (lambda e: api.run(e, launcher=3), "launcher: is 3; give an object with the methods of a launcher"),
        (lambda e: api.run_until_decided(e, "5"), "most: is '5'; give a whole number of at least 1"),
        (lambda e: api.register("x.yaml"), "api.register: experiment: is 'x.yaml'"),
        (lambda e: api.results(3), "api.results: name: is 3; give the name of an experiment"),
        (lambda e: api.probe("x", "cka"), "probes: is 'cka'; give a list of texts"),
        (lambda e: api.open_trial("x", 3), "trial: is 3; give a trial's name or id as text"),
        (lambda e: api.archive(3), "api.archive: name: is 3"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_told_with_what_can(
    call: Callable[[Experiment], Any],
    told: str,
    experiment: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told):
        call(experiment)
    assert [path.name for path in tmp_path.iterdir()] == ["x.yaml"], "nothing is written"


def test_arguments_without_a_name_are_told_with_the_function(experiment: Experiment) -> None:
    with pytest.raises(
        TypeError, match=r"^resexp\.run: .*; give only the first 1 without a name, .* device="
    ):
        resexp.run(experiment, "results")  # type: ignore[call-arg, misc]
    with pytest.raises(TypeError, match=r"^resexp\.run: .*'epochs'$"):
        resexp.run(experiment, epochs=3)  # type: ignore[call-arg]


def test_names_types_and_documents_of_the_functions_stay() -> None:
    assert resexp.run.__name__ == "run"
    assert "jobs" in (resexp.run.__doc__ or "")
