"""How sharply the loss rises around the present weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from resexp.options import PositiveFloat, Repeats
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import settled

Vector = tuple[Tensor, ...]
TOLERANCE = 1e-3


class Sharpness(Probe):
    """The training loss along a random direction through the weights, and its largest Hessian eigenvalue.

    The training loss is what the run minimises. It includes label smoothing; the losses that are reported
    and those of the probe `lesion` do not. `slice_loss` is the training loss (nats for classes) at weights
    W + a d, for 2 * `points` + 1 values of a from -`reach` to `reach`. The layer of such a reading is the
    value of a, and its index counts these values. The direction d is Gaussian and filter-normalised (Li et
    al. 2018, arXiv:1712.09913, section 4): ||d|| = ||W|| for each filter, and d = 0 for norms and biases.
    `hessian_eigenvalue` is the largest eigenvalue of the training loss's Hessian, from power iteration of at
    most `iterations` steps, and of as many again if the Hessian's eigenvalue of largest magnitude is
    negative. With too few steps the estimate is too low. `eigenvalue_residual` is ||H v - k v|| for the unit
    vector v and the estimate k at which the iteration ended. The Hessian H has an eigenvalue that is no
    further than this from the estimate. Batch norms use the statistics of the probe batch.
    """

    quantities = (
        Quantity("hessian_eigenvalue", title="largest Hessian eigenvalue"),
        Quantity("eigenvalue_residual", title="residual of the Hessian eigenvalue"),
        Quantity("slice_loss", title="loss along a slice", scale="log", over="distance"),
    )

    def __init__(self, *, reach: PositiveFloat = 1.0, points: Repeats = 10, iterations: Repeats = 20) -> None:
        self.reach = reach
        self.points = points
        self.iterations = iterations

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        weights = tuple(settled(snapshot.network).parameters())
        with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
            loss = snapshot.loss()
        largest, residual = self._eigenvalue(loss, weights)
        yield Reading("hessian_eigenvalue", "network", 0, largest)
        yield Reading("eigenvalue_residual", "network", 0, residual)
        direction = tuple(map(_direction, weights))
        centre = tuple(w.detach().clone() for w in weights)
        with torch.no_grad():
            for point in range(-self.points, self.points + 1):
                a = self.reach * point / self.points
                for weight, start, d in zip(weights, centre, direction, strict=True):
                    weight.copy_(start + a * d)
                yield Reading("slice_loss", f"{a:+.3g}", point + self.points, snapshot.loss().item())

    def _eigenvalue(self, loss: Tensor, weights: Vector) -> tuple[float, float]:
        slopes = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)

        def hessian(v: Vector) -> Vector:
            # If the loss is linear in a weight, the slope along this weight is constant and has no gradient.
            bent = [(slope, x) for slope, x in zip(slopes, v, strict=True) if slope.requires_grad]
            along = [x for _, x in bent]
            return torch.autograd.grad(
                [slope for slope, _ in bent], weights, along, retain_graph=True, materialize_grads=True
            )

        largest, residual = power_iteration(hessian, weights, self.iterations)
        # If the eigenvalue of largest magnitude is negative, it is the least eigenvalue. It is subtracted
        # from every eigenvalue, so that none is negative, and a second iteration gives the largest one.
        if largest < 0:

            def shifted(v: Vector) -> Vector:
                return tuple(h - largest * x for h, x in zip(hessian(v), v, strict=True))

            above, residual = power_iteration(shifted, weights, self.iterations)
            largest += above
        return largest, residual


def power_iteration(times: Callable[[Vector], Vector], like: Vector, steps: int) -> tuple[float, float]:
    """The eigenvalue of largest magnitude of the symmetric map `times` on vectors shaped as `like`, and the
    residual ||times(v) - eigenvalue v|| of the unit vector v that gave it. At least one step is needed.
    """
    v = _unit([torch.randn_like(x) for x in like])
    value = residual = 0.0
    for _ in range(steps):
        product = times(v)
        before, value = value, _dot(v, product)
        apart = [p - value * x for p, x in zip(product, v, strict=True)]
        residual = _dot(apart, apart) ** 0.5
        if _dot(product, product) == 0 or abs(value - before) <= TOLERANCE * abs(value):
            break
        v = _unit(product)
    return value, residual


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    return float(sum((x * y).sum().item() for x, y in zip(a, b, strict=True)))


def _unit(v: Sequence[Tensor]) -> Vector:
    size = _dot(v, v) ** 0.5
    return tuple(x / size for x in v)


def _direction(weight: Tensor) -> Tensor:
    """A Gaussian direction with the weight's norm in every filter; 0 for norms, biases and scalars."""
    if weight.ndim < 2:
        return torch.zeros_like(weight)
    d = torch.randn_like(weight).flatten(1)
    scale: Tensor = weight.detach().flatten(1).norm(dim=1, keepdim=True) / d.norm(dim=1, keepdim=True)
    return (d * scale).view_as(weight)
