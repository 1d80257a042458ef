"""Recognises data sets, such as CIFAR-10, by hashes of their images and labels. Does not import torch.

The hashes of CIFAR-10 were computed from a copy in which 97 of the 60,000 images were decoded from JPEG
files, because we could not get their original pixels. The hashes of the other images do not depend on these
97 images. Therefore a copy with the original pixels is recognised, too, but its 97 images cannot be checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from resexp.data.base import Images, Labels, Split
from resexp.data.cifar import CIFAR10
from resexp.errors import DataError

BLOCK = 1000
"""The number of images that have one hash together."""


@dataclass(frozen=True)
class KnownSplit:
    """Hashes of one split.

    labels: the SHA-256 of the labels, as int64 with the lowest byte first.
    blocks: for every BLOCK images, the first 16 hexadecimal digits of their SHA-256. For this hash, images in
        `copies` are set to 0.
    copies: images of which only a JPEG copy is known: the image's number -> the first 8 digits of the SHA-256
        of the decoded copy.
    """

    labels: str
    blocks: tuple[str, ...]
    copies: Mapping[int, str]


@dataclass(frozen=True)
class KnownSet:
    """A data set's name, classes, the shape of an image (height, width, channels), and the splits' hashes."""

    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    splits: Mapping[Split, KnownSplit]


class Recognition:
    """Compares the arrays of one split with those of the set `known`. If it is None, all are accepted."""

    def __init__(self, known: KnownSet | None, split: Split, where: str) -> None:
        """`where` names the array in messages."""
        self.known, self.split, self.where = known, split, where
        self.images = self.copies = self.others = 0

    def check_labels(self, labels: Labels) -> None:
        """Raises DataError if these are not the labels of the split, in its order."""
        if self.known is None:
            return
        hashed = self.known.splits[self.split].labels
        if hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest() != hashed:
            raise self._other("labels")

    def add(self, images: Images) -> None:
        """Compare the next BLOCK images (n, H, W, C) of the split. Raises DataError if they differ."""
        if self.known is None:
            return
        split, start = self.known.splits[self.split], self.images
        self.images += len(images)
        if images.shape[1:] != self.known.shape or self.images > BLOCK * len(split.blocks):
            raise self._other("images")
        places = [place for place in split.copies if start <= place < self.images]
        blank = images.copy()
        blank[[place - start for place in places]] = 0
        if hashlib.sha256(blank.data).hexdigest()[:16] != split.blocks[start // BLOCK]:
            raise self._other(f"images {start:,} to {self.images - 1:,}, counted from 0,")
        for place in places:
            same = hashlib.sha256(images[place - start].data).hexdigest()[:8] == split.copies[place]
            self.copies, self.others = self.copies + same, self.others + (not same)

    def notes(self) -> tuple[str, ...]:
        """After all images were added, a sentence on what they are. Raises DataError if some are missing."""
        if self.known is None:
            return ()
        if self.images != BLOCK * len(self.known.splits[self.split].blocks):
            raise self._other("images")
        own = self.images - self.copies - self.others
        said = f"{own:,} of {self.images:,} {self.split} images are {self.known.title}'s own by their hashes"
        copied = "is a decoded JPEG copy" if self.copies == 1 else "are decoded JPEG copies"
        said += f", {self.copies} {copied}" if self.copies else ""
        said += f", {self.others} cannot be checked, because no hash of them is known" if self.others else ""
        return (said,)

    def _other(self, what: str) -> DataError:
        wrong = (
            f"the {what} are not those of {self.known.title if self.known else 'the set'} in its usual order"
        )
        return DataError(f"{self.where}: {wrong}; leave data.same_as out, or give an exact copy")


def _split(labels: str, blocks: str, copies: str) -> KnownSplit:
    pairs = (pair.split(":") for pair in copies.split())
    return KnownSplit(labels, tuple(blocks.split()), {int(place): digest for place, digest in pairs})


_TRAIN = _split(
    "f5cfe00b0f00968c0cc5ff3b1d2de51b10e33efa277c2986f4e0fa63e58c9f4f",
    """
133c5674fd1c56ce 6973df93ec3d5e57 b88d9034ca3846ff da59de85f1932439 95402d3a7acc08b4 3067c5967c049876
1885f7e665b4e832 6936a24d3a77b442 23ed014996662084 a064c5803f1aa7a8 e08e6a31bb48f78a 12af91a70cbf22f7
031e1e467b4398e2 5b78a581150aa6f2 1db67dc5cc90e2fd b67bc91852136977 8b1edfd841420fdf fde3189b843e36a1
a4bb4ea0a3375185 0ab88b02e39b0d1a 3b18c92ec79c5def 706e49cbf8699da4 5a9875bea3ad721f ee264892860ec20f
d5eec245de47b622 79b108a546c7efa9 9b9c570a14b70331 b8057d122afe20db 3ff0aeda81a2f3fc 75a688833a4fbc2d
1c8960c4995e979b 84ac943a33a41767 e29c5ff9a42d60d5 5018b4d01c866e99 c92c5cc0507f00e1 8a55bb5f4cf2a5a3
2d3c647eb26dab1c 4bb83ecd91ade200 ce62f3b2c687961f e32039fb09554f48 45501253fe0fbb07 aa7c5a8fa0f45e3e
4dbbc817a28a2b99 bf662f99635d4ecb a233ee3c4366f0c1 faef20e888c64f11 323af0ffaf1c19b5 30ca7db34e192958
de84372b51bed5b3 d8ed9bbd1aff2810
""",
    """
4298:c5ab2870 5949:46c3830f 7066:6fc7e65d 7237:1019e0be 7248:2a0bd4e5 7630:548fa821 8006:efa96dd5
8831:ff69d6f8 8968:831917d8 9415:ac59d0b9 10336:9c9dfc26 10408:910dbd57 12762:a990722e 12834:0c29edd8
13546:1dd77878 21493:a220b5a5 25728:a9be20c1 26098:afb61752 26927:37241eea 27621:904285dd 28435:fc212248
28728:aff0ac34 29694:d05a6a51 29747:e683ff4c 30329:4dc580f4 31066:883a94ba 31367:49ab9631 31462:eaabc0d7
31625:aad02b8d 31663:e5a59597 32777:a1bc7719 33641:c18f8716 33661:c0a14ba3 34067:2c7adb98 34276:f2608620
34387:9e9c03d0 34825:ba67368f 35160:7ac5d4ab 35646:5357f9cb 36733:6e489855 37329:30b0f76e 37474:be477ba0
37567:82de676a 38384:13057366 38925:3b34a5c6 39358:40b67845 39385:0d3d16eb 39613:b71616e0 39840:6ad950b8
39888:0abf02a5 39971:b429a0fc 40805:0369b641 41779:2b87e24f 42004:b7f89f11 42389:668d54e7 42611:ba684fa1
43357:1299b0f6 43883:bfb68cbc 44882:2ca44284 45168:ee8fd939 45240:ccb7a754 46175:64505203 46435:444ba693
46538:ee645b29 46624:4aa8587c 47393:840688db 47597:cf19a63a 48081:5b5f118f 48124:ba3174f7 48333:0bb0c63c
48821:66f05e45 48836:7856abda 49321:ffac5dae 49429:ed1c7f63 49631:38cfc1cd 49830:a44bb261 49857:9f3fc74a
""",
)
_TEST = _split(
    "cbb7365de8ed11f05cc4c3a1e7f78144127c5e851efd83762fb18202461230bb",
    """
da362006b9967121 3c0554527bcb0123 6e8b5586ec9b9928 130d2fd4c24c4cee 2a0812c904264058 7dd5013abe989fb3
bd6896b7dfd0428d b2cfa931dc56d2ca 6fafc12b6d5d0288 f23f6699676f3697
""",
    """
1259:621572e7 1369:d4e4ae79 1422:e150e1ab 2245:6f5f6fed 2737:95ca4c8e 2935:31354d90 3695:9bd48af7
3718:fc3c686e 4085:ce61078e 4496:0f429fea 5791:ceb24ce8 5896:4bf278f5 6286:e4690611 7580:67dab4a0
7707:f8d16dff 7724:a4540ef5 7832:84bc5082 8117:e5614b2b 8551:e1997ffe 9254:f0c4dd46
""",
)
KNOWN = {
    "cifar10": KnownSet("CIFAR-10", CIFAR10.classes, (32, 32, 3), {"train": _TRAIN, "test": _TEST}),
}
"""The known sets, by the value of `same_as`."""
