"""Boosting: what it boosts, and how the weights of samples flow."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from resexp.connections.base import Connection
from resexp.connections.core import Plain, Residual
from resexp.models.base import Booster
from resexp.options import NonNegativeFloat, PositiveFloat


class Svbm(Booster):
    """Support vector machines with an RBF kernel, boosted: Lian 2024 (SVBM, arXiv:2410.06957). `depth` is the
    number of rounds, of which each fits one SVM once, so `training: {epochs: 1}`.

    The state of the connection is the weights w of the training rows, f(w) is AdaBoost's update of them, and
    S w = b w: `plain` is AdaBoost (SAMME for several classes), `residual` the paper's (f(w) + b w) / (1 + b).
    b is `beta`, or where `rule` is adaptive begins there and follows the training accuracy; to `plain`, which
    has no S, both say nothing. `c` and `gamma` are the SVM's; without a `gamma` it is 1 by the number of
    features times their variance. The loss is the cross-entropy of the probabilities that the votes stand for
    (Friedman et al. 2000). The paper's subsamples of rows and its output codes of classes are
    left out.
    """

    idle: ClassVar[tuple[str, ...]] = (*Booster.idle, "model.connection.shortcut")
    connections: ClassVar[tuple[type[Connection], ...]] = (Plain, Residual)

    def __init__(
        self,
        *,
        c: PositiveFloat = 1.0,
        gamma: PositiveFloat | None = None,
        beta: NonNegativeFloat = 0.5,
        rule: Literal["fixed", "adaptive"] = "fixed",
    ) -> None:
        super().__init__(beta, rule)
        self.c, self.gamma = c, gamma

    def weak_learner(self) -> Any:
        from sklearn.svm import SVC

        return SVC(C=self.c, gamma="scale" if self.gamma is None else self.gamma)
