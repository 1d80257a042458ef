"""The Fréchet Inception distance (FID) of generated images."""

from __future__ import annotations

from collections.abc import Iterator

from resexp.errors import TrialError
from resexp.generation.distance import frechet
from resexp.generation.inception import Inception, missing
from resexp.options import Samples
from resexp.probes.base import Probe, Quantity, Reading, Snapshot


class Fid(Probe):
    """`fid`: the Fréchet distance between features of generated images and of as many real test images, by
    the Inception network of 2015 (Heusel et al. 2017, arXiv:1706.08500).

    `fid_floor`: the same distance between training images and these test images, which is about what a
    perfect generator would reach. `fid_images`: the number of images in each set, which is `images`, or fewer
    if the data have fewer. FIDs may be compared only if this number is equal, because the distance falls with
    it. Papers on CIFAR-10 usually compare 5,000 to 50,000 generated images with 10,000 or 50,000 real ones.

    The images are those of the generator that is evaluated, whose weights are averages. Images take about
    0.13 seconds each on one core of a CPU, so give `at: [1]`. Features of real images are computed once and
    then kept in the folder of data sets. The probe needs the package torch-fidelity (extra `fid`) and its
    file of weights, weights-inception-2015-12-05-6726825d.pth, in the folder `inception` of the folder of
    data sets or where torch-fidelity itself puts it.
    """

    for_generators = True
    quantities = (
        Quantity("fid", title="FID", over="network"),
        Quantity("fid_floor", title="FID between real images", over="network"),
        Quantity("fid_images", title="images in each set of the FID", over="network"),
    )

    def __init__(self, *, images: Samples = 10_000) -> None:
        self.images = images

    def missing(self) -> str | None:
        return missing()

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        if snapshot.compared is None:
            raise TrialError("this run has no generator; remove the probe")
        generated, real, other = snapshot.compared(self.images)
        if len(real) < 2:
            raise TrialError(f"a FID needs at least 2 images in each set, and the data have {len(real)}")
        if real.shape[1] not in {1, 3}:
            raise TrialError(f"Inception takes images with 1 or 3 channels, and these have {real.shape[1]}")
        features = Inception(snapshot.images.device)
        references = features.remembered(real, snapshot.alive)
        floor = frechet(references, features.remembered(other, snapshot.alive))
        distance = frechet(references, features(generated, snapshot.alive))
        snapshot.alive()
        yield Reading("fid", "network", 0, distance)
        yield Reading("fid_floor", "network", 0, floor)
        yield Reading("fid_images", "network", 0, len(real))
