"""Names what trials are judged by: errors, regrets or shortfalls. The class of a task has the word in
`error_name`.

Titles, captions and sentences contain fields such as {error}. The word is filled in before any value is put
into the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from resexp.plan.error_name import ERROR, error_name
from resexp.text import called

if TYPE_CHECKING:
    from resexp.store import Records

OVER_TRAINING = "The training {error} is the mean of the test {errors} of all epochs so far."


@dataclass(frozen=True)
class Measure:
    """The name of what trials are judged by, and what captions say about it.

    blind: the behaviour without any learning, with which results are compared. errs: the words between
    `blind` and its value in percent. line: the name of `blind` in the legend of a figure.
    running: how the running training error is measured. rarely: how the training error is evaluated, unlike
    the test error. at: the same, for tables of both errors at one step.
    """

    name: str = ERROR
    blind: str = "always answering the most frequent class"
    errs: str = "errs on"
    line: str = "most frequent class"
    running: str = (
        "The running training {error} is measured on the batches as they train, in train mode and with "
        "augmentation, so it differs from the training {error} after the epoch."
    )
    rarely: str = "The training {error} is evaluated more rarely than the test {error}."
    at: str = "The training {error} is evaluated more rarely, so it may come from an earlier step."

    @property
    def title(self) -> str:
        """The name as a heading."""
        return self.name.capitalize()

    def of(self, metric: str) -> str:
        """The name of a metric, such as `train regret` for train_error."""
        split, _, kind = metric.rpartition("_")
        return f"{split} {self.name}" if split and kind == ERROR else metric.replace("_", " ")

    def said(self, text: str) -> str:
        """The text with its fields {error}, {errors}, {Error}, {Errors}, {an_error}, {blind}, {errs}, {line},
        {running}, {rarely} and {at} filled. All other fields stay.
        """
        return text.format_map(self._fields)

    @cached_property
    def _fields(self) -> _Fields:
        name, title = self.name, self.title
        article = "an" if name[0] in "aeiou" else "a"
        plural = "es" if name.endswith("s") else "s"
        names = _Fields(error=name, errors=name + plural, Error=title, Errors=title + plural)
        names |= {"an_error": f"{article} {name}"}
        parts = ("blind", "errs", "line", "running", "rarely", "at")
        return _Fields(names | {part: str(getattr(self, part)).format_map(names) for part in parts})


class _Fields(dict[str, str]):
    """Values of fields by name. A field without a value stays as it is."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


KNOWN = {
    ERROR: Measure(),
    "regret": Measure(
        "regret",
        blind="acting blindly",
        errs="has {an_error} of",
        line="acting blindly",
        running=(
            "The running training {error} is that of the training episodes that ended in the epoch. In "
            "these, the policy draws its actions at random by their probabilities, so it differs from the "
            "test {error}, for which the policy takes its most probable actions."
        ),
        rarely=OVER_TRAINING,
        at=OVER_TRAINING,
    ),
    "shortfall": Measure(
        "shortfall",
        blind="a generator that has learned nothing",
        errs="has {an_error} of",
        line="nothing learned",
        running="There is no running training {error}.",
        rarely=OVER_TRAINING,
        at=OVER_TRAINING,
    ),
}
"""The measures of the package's own tasks."""


def named(name: str) -> Measure:
    """The measure with this name. A user's task may have any name."""
    return KNOWN.get(name) or Measure(
        name, blind="a network that has learned nothing", errs="has {an_error} of", line="nothing learned"
    )


def measure_of(records: Records) -> Measure:
    """The measure of these trials: that of their task if all of them have the same, and errors otherwise."""
    trials = records.settings.items()
    names = {error_name(settings, records.plugins.get(id, ())) for id, settings in trials}
    return named(names.pop() if len(names) == 1 else ERROR)


def label(records: Records, variant: str) -> str:
    """A variant's label as reports show it. What the names of foreign runs mean is not known."""
    return variant if records.foreign else called(variant)
