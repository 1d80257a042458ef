"""Explains the words of a report that a newcomer may not know, for HTML reports and docs/glossary.md."""

from __future__ import annotations

TERMS = {
    "activation bytes": "The memory that backpropagation keeps for one example.",
    "baseline": "The variant with which every other variant is compared, such as residual.",
    "branch, f(h)": "The layers of a block that the shortcut bypasses. The branch gets the state h as input.",
    "claim": (
        "A statement of a paper, or of one's own, that one group of networks has a lower value than another, "
        "or that both are equally good."
    ),
    "D(L)": (
        "Degradation at depth L: the mean training error at depth L minus the least mean training "
        "error at any shallower depth, in percentage points."
    ),
    "decade": "A factor of 10. A gradient that falls by 2 decades is 100 times smaller.",
    "degradation": (
        "A higher training error in spite of more layers. It is not overfitting, because the error on the "
        "training data itself rises (He et al. 2015)."
    ),
    "depth": (
        "The number of layers with weights. In a transformer it is the number of its layers (attention and "
        "MLP), and in boosting the number of rounds. Each kind of network says which depths are possible."
    ),
    "equivalent": (
        "The whole interval of the difference lies within the margin, by default 1 point on both sides."
    ),
    "generalisation gap": "Test error minus training error.",
    "Holm": (
        "Holm's correction of p values. With many comparisons some would be significant by chance, "
        "so each one has to pass a stricter test."
    ),
    "initialisation": "The network before its first training step.",
    "interval, 95 %": (
        "An interval that covers the true mean difference in 95 of 100 repetitions of the experiment."
    ),
    "lesion": ("One or more blocks are removed from a trained network, to see how much it depends on them."),
    "MAC": (
        "One multiplication and one addition. The MACs of a network are counted for one example, "
        "forward only."
    ),
    "n": "The number of trials in a mean: one for each seed.",
    "near-identity start": (
        "Initial weights with which a layer hardly changes its input: the identity plus a tenth of He's "
        "weights (`init: dirac`)."
    ),
    "noise floor": (
        "The size below which a measured value is noise of a finite batch or of few seeds. No trend is read "
        "from smaller values."
    ),
    "plain": "A network without shortcuts: h' = f(h).",
    "registered": (
        "Written down before the first result (`resexp register`). A verdict that was not is exploratory."
    ),
    "regret": (
        "In learning by playing, how far a return is from the largest possible one, as a share of the range "
        "of possible returns. Training regret is its mean over training, and test regret is its value at the "
        "end."
    ),
    "residual": "A shortcut whose value is added to that of the branch: h' = S h + f(h).",
    "seed": (
        "The number from which all random numbers of a trial are drawn. Trials that differ in their "
        "seeds alone show how much results vary by chance."
    ),
    "shortcut, S": "A path past the layers of a block. S is the identity where the shape stays the same.",
    "shortfall": (
        "In generating images, 1 - F, where F is the harmonic mean of precision (the share of generated "
        "images that lie among real ones) and recall (the share of real ones that lie among generated ones). "
        "Training shortfall is its mean over training, and test shortfall is its value at the end."
    ),
    "skip": (
        "A shortcut whose value is concatenated with that of the branch: h' = [S h, f(h)]. "
        "Elsewhere, the word often means any shortcut, or a residual one."
    ),
    "tier": "A smaller or larger form of an experiment in the same file, such as quick.",
    "trial": "One training of one network with one seed.",
    "undecided": "The results are compatible with an effect and with none. More seeds may decide it.",
    "vanishing gradient": (
        "The gradient at the first layers is much smaller than at the last ones (here: by 2 decades "
        "or more), so the first layers hardly learn."
    ),
    "variant": (
        "All trials that differ only in depth, seed and what is tuned. Each variant is one line in a figure."
    ),
}


def page() -> str:
    """The glossary in Markdown."""
    entries = "\n".join(f"**{term}**: {meaning}\n" for term, meaning in TERMS.items())
    return f"# Glossary\n\n{entries}"
