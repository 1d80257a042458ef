"""Boosting of support vector machines, with a connection that carries the weights of the training rows."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from resexp.connections.base import Connection
from resexp.connections.core import Plain, Residual
from resexp.models.base import Booster
from resexp.options import NonNegativeFloat, PositiveFloat


class Svbm(Booster):
    """Boosted support vector machines (SVMs) with an RBF kernel: Lian 2024 (SVBM, arXiv:2410.06957).

    `depth` is the number of rounds. Each round fits one SVM once, so give `training: {epochs: 1}`.

    The state of the connection is the weights w of the training rows. f(w) is AdaBoost's update of them, and
    the shortcut is S w = b w. `plain` is AdaBoost (SAMME for several classes), and `residual` is the paper's
    (f(w) + b w) / (1 + b). With `rule: fixed`, b is `beta` in every round. With `rule: adaptive` it starts at
    `beta` and follows the training accuracy. `plain` has no S, so neither option affects it. `c` and `gamma`
    are the SVM's; the default of `gamma` is 1 / (number of features times their variance).

    The loss is the cross-entropy of the probabilities that correspond to the votes (Friedman et al. 2000).
    The paper's random subsets of rows and its output codes for classes are left out.
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
