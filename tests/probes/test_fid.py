"""The FID by torch-fidelity, with a network of random weights that sees smaller images."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from resexp import api, store
from resexp.config.parse import parse_probes, parse_settings
from resexp.data.opening import open_data
from resexp.errors import ConfigError, DataError
from resexp.generation import features, inception, kept
from resexp.generation.distance import frechet
from resexp.generation.inception import SHA256, WEIGHTS, Inception
from resexp.plan import compatible
from resexp.plan.trial import Trial
from resexp.report.build import build
from resexp.store import Attempt
from resexp.training.adversarial.run import AdversarialRun
from resexp.training.probing import probe_rows, take_snapshot
from resexp.training.trial import train

CPU = torch.device("cpu")
SMALL = {"depth": 4, "width": 4, "order": "pre", "connection": "residual"}


class Empty(FeatureExtractorInceptionV3):
    """The network as its constructor builds it, without the weights of a file."""

    def load_state_dict(self, *_: Any) -> Any:
        return None


def random_weights() -> bytes:
    """A file of weights with the names and shapes that torch-fidelity expects."""
    nothing, file = io.BytesIO(), io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.manual_seed(0)
    network = Empty("inception", ["2048"], feature_extractor_weights_path=nothing)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    torch.save(network.state_dict(), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of weights in a folder of data sets. What has another hash than these weights is refused."""
    with pytest.MonkeyPatch.context() as patch:
        data, weights = tmp_path_factory.mktemp("data"), random_weights()
        patch.setenv("RESEXP_DATA", str(data))
        patch.setenv("TORCH_HOME", str(data / "torch"))
        patch.setattr(features, "EPOCHS", 1)
        patch.setattr(inception, "SHA256", hashlib.sha256(weights).hexdigest())
        patch.setattr(FeatureExtractorInceptionV3, "INPUT_IMAGE_SIZE", 75)
        (data / "inception").mkdir()
        (data / "inception" / WEIGHTS).write_bytes(weights)
        yield data / "inception"


def settings(*probes: dict[str, Any]) -> Any:
    return parse_settings(
        {
            "data": {"kind": "digits", "train_size": 50},
            "task": {"kind": "adversarial", "noise": 5},
            "model": {"kind": "generator", **SMALL},
            "discriminator": {"kind": "discriminator", **SMALL, "depth": 7, "norm": "none"},
            "training": {"epochs": 1, "batch_size": 25},
            "probes": list(probes),
        }
    )


@pytest.fixture(scope="module")
def run(folder: Path) -> AdversarialRun:
    chosen = settings({"kind": "fid", "images": 7, "at": [0]})
    return AdversarialRun(chosen, open_data(chosen.data, CPU), CPU)


def images(count: int, channels: int = 3) -> Tensor:
    draws = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, channels, 8, 8), dtype=torch.uint8, generator=draws)


def test_the_hash_is_that_of_the_file_by_its_name() -> None:
    assert WEIGHTS.removesuffix(".pth").rpartition("-")[2] == SHA256[:8]


def test_features_are_those_of_torch_fidelity_and_grey_images_are_made_of_three_channels(
    folder: Path,
) -> None:
    network = Inception(CPU)
    reference = FeatureExtractorInceptionV3(
        "inception", ["2048"], feature_extractor_weights_path=str(folder / WEIGHTS)
    )
    grey = images(3, 1)
    expected = reference(grey.repeat(1, 3, 1, 1))[0].double().numpy()
    assert np.array_equal(network(grey), expected)
    assert expected.shape == (3, 2048)
    assert expected.std(0).max() > 0.01


def test_the_probe_compares_as_many_generated_images_with_real_ones(run: AdversarialRun) -> None:
    lives: list[None] = []
    rows = list(probe_rows(run, [], lambda: lives.append(None)))
    readings = {row["name"]: row["value"] for row in rows}
    generated, real, other = run.compared(7)
    assert generated.shape == real.shape == other.shape == (7, 1, 8, 8)
    network = Inception(CPU)
    assert readings == {
        "fid": pytest.approx(frechet(network(real), network(generated)), rel=1e-5),
        "fid_floor": pytest.approx(frechet(network(real), network(other)), rel=1e-5),
        "fid_images": 7,
    }
    assert readings["fid"] > 2 * readings["fid_floor"] > 0
    assert {(row["probe"], row["layer"], row["index"]) for row in rows} == {("fid", "network", 0)}
    assert len(lives) >= 5  # one for each set, one after making images, and one after the distances
    test = run.real(run.data.test, np.arange(len(run.data.test)))
    assert all(any(torch.equal(image, each) for each in test) for image in real)
    assert len(run.compared(1000)[1]) == 50  # no more than there are training images


def test_features_of_real_images_are_computed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, real = Inception(CPU), images(2)
    first = network.remembered(real, lambda: None)
    assert np.array_equal(first, network(real))
    monkeypatch.setattr(Inception, "__call__", lambda *_: pytest.fail("features are computed"))
    assert np.array_equal(network.remembered(real, lambda: None), first)
    (path,) = (each for each in folder.glob("*.npy") if each.stat().st_mtime_ns == newest(folder))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"\.npy: damaged; delete it"):
        network.remembered(real, lambda: None)


def newest(folder: Path) -> int:
    return max(each.stat().st_mtime_ns for each in folder.glob("*.npy"))


def test_one_process_computes_them_and_the_others_give_signs_of_life(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "PATIENCE", 0.05)
    network, real, calls, lives = Inception(CPU), images(4), [], []

    def slow(self: Inception, images: Tensor, alive: Any) -> Any:
        calls.append(len(images))
        time.sleep(0.5)
        return np.ones((len(images), 3))

    monkeypatch.setattr(Inception, "__call__", slow)
    ask = threading.Thread(target=lambda: network.remembered(real, lambda: None))
    ask.start()
    while not calls:
        time.sleep(0.01)
    assert network.remembered(real, lambda: lives.append(None)).shape == (4, 3)
    ask.join()
    assert calls == [4]
    assert lives


def test_without_weights_or_package_a_run_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = parse_probes(["fid"])
    compatible.check_machine(probes)
    with monkeypatch.context() as patch:
        patch.setattr(inception, "SHA256", SHA256)
        with pytest.raises(ConfigError, match=r"probes\.0: fid: .*25d\.pth: not the weights of the FID"):
            compatible.check_machine(probes)
        with pytest.raises(DataError, match="not the weights"):
            Inception(CPU)
    with monkeypatch.context() as patch:
        patch.setattr(inception.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ConfigError, match=r"fid: the package torch-fidelity is not.*extra `fid`"):
            compatible.check_machine(probes)
    hub = folder.parent / "torch" / "hub" / "checkpoints"
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    compatible_places = (
        rf"no weights of Inception; put .*{re.escape(WEIGHTS)} into {tmp_path}/inception or {hub}"
    )
    with pytest.raises(ConfigError, match=compatible_places):
        compatible.check_machine(probes)
    hub.mkdir(parents=True)
    (hub / WEIGHTS).symlink_to(folder / WEIGHTS)
    compatible.check_machine(probes)  # where torch-fidelity itself puts them


def test_one_image_is_too_few() -> None:
    with pytest.raises(ConfigError, match="images: 1 is too small"):
        parse_probes(["{kind: fid, images: 1}"])


def test_signs_of_life_are_given_while_images_are_made(run: AdversarialRun) -> None:
    lives: list[None] = []
    snapshot = take_snapshot(run, 4, alive=lambda: lives.append(None))
    assert snapshot.compared is not None
    snapshot.compared(7)
    assert lives


def test_waiting_for_another_process_is_within_the_shortest_stall_timeout() -> None:
    assert kept.PATIENCE < 1


def test_the_discriminator_has_no_fid(folder: Path) -> None:
    chosen = settings({"kind": "fid", "of": "discriminator"})
    says = "fid of discriminator is for generators, and discriminator is not one"
    with pytest.raises(ConfigError, match=says):
        compatible.check_fit(chosen, open_data(chosen.data, CPU).facts)


def test_a_finished_trial_is_measured_and_its_report_shows_the_fid(folder: Path, tmp_path: Path) -> None:
    chosen = settings().model_dump(mode="json")
    trial = Trial("a" * 12, "small", "residual", "residual", 4, 0, chosen)
    with store.create(tmp_path, "e", config_text="", trials=[trial], environment={}) as experiment:
        train(Attempt(*experiment.claim(trial)))
    assert api.probe("e", ["{kind: fid, images: 5}"], root=tmp_path, device="cpu") == 1
    report = build(store.read(tmp_path / "e"))
    (row,) = report.table("fid").rows
    readings = {each["name"]: each["value"] for each in store.read(tmp_path / "e").probes.to_dict("records")}
    assert (row["fid_mean"], row["floor_mean"]) == (readings["fid"], readings["fid_floor"])
    assert (row["images"], row["n"], row["fid_sd"]) == (5, 1, None)
    assert "other_probes" not in {table.key for table in report.tables}
