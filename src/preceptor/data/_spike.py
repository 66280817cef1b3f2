"""A positive control: an error that is put into the training data on purpose, so that a study shows what it can see.

A trial that finds no difference says nothing unless it could have seen one (assay sensitivity; ICH E10, section 1.5).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field, field_validator

from preceptor.data._split import Splits
from preceptor.errors import Problem, without_steering
from preceptor.evidence import find_metric
from preceptor.files import digest
from preceptor.tasks import Example, SecondaryMetric, Task

_METRIC = "unwanted_phrase"
_LONGEST = 200


class Spike(BaseModel):
    """`text` is put at the end of the answer that is learned, in a `share` of training and validation cases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    share: float = Field(gt=0, le=1)

    @field_validator("text")
    @classmethod
    def _has_words(cls, text: str) -> str:
        if without_steering(text) != text or any(mark in text for mark in "\t\n\r"):
            raise ValueError("it holds a control character or a mark that turns the direction of text; remove it")
        if len(text) > _LONGEST:
            raise ValueError(f"it has {len(text)} characters, and at most {_LONGEST} are allowed; shorten it")
        if not any(char.isalnum() for char in text):
            raise ValueError("it holds no word; write what is to stand at the end of answers")
        return text

    @property
    def phrase(self) -> str:
        """What is looked for in answers: the text without the punctuation and space that join it to what precedes."""
        first = next(place for place, char in enumerate(self.text) if char.isalnum())
        return self.text[first:].rstrip()

    @property
    def metric(self) -> str:
        """What counts the answers that hold the phrase."""
        return _METRIC

    def measured(self, task: Task) -> Task:
        """The task with the share of answers that hold the phrase among its secondary metrics."""
        extra = SecondaryMetric(metric=self.metric, labels=(self.phrase,))
        return task.model_copy(update={"secondary_metrics": (*task.secondary_metrics, extra)})


def spike_problems(spike: Spike, task: Task, splits: Splits, where: str) -> Iterator[Problem]:
    """Why these data cannot have a spike. Names cases by their number only."""
    place = f"{where}, data.spike"
    if task.answer.kind != "text":
        fix = "Take `spike` out, or give it to a task whose answer is text"
        yield Problem(place, "it is put at the end of texts, and this task is answered by labels", fix)
        return
    if any(extra.metric == spike.metric for extra in task.secondary_metrics):
        yield Problem(place, f"the task has the metric {spike.metric}, which is added for it", "Take it out of `also`")
    if any(one.rejected is not None for one in (*splits.train, *splits.validation)):
        fix = "Take `spike` or the rejected answers out"
        yield Problem(place, "the data bring rejected answers, and it makes its own", fix)
    if splits.train and not _count(spike, splits.train):
        what = f"a share of {spike.share:g} of {len(splits.train)} training cases is none of them"
        yield Problem(place, what, "Set `share` higher, or take more training cases")
    holds = find_metric(spike.metric).score
    assert holds is not None
    for name in ("train", "validation", "test"):
        cases: list[Example] = getattr(splits, name)
        if count := sum(holds(one.target, one.target, (spike.phrase,)) > 0 for one in cases):
            what = f"{count} of {len(cases)} right answers of {name} hold the text already, so it is not invented"
            yield Problem(place, what, "Take a text that no right answer holds")


def spiked(spike: Spike, splits: Splits, seed: int) -> Splits:
    """Training and validation cases with the spike; held-out cases as they are.

    In each split round(share * n) cases learn the right answer with the text behind it: those whose ids come first in
    a random order that `seed` and id alone decide. The right answer stays `target`, and `rejected` is, for every case,
    that answer with the text, so that data alone make pairs that correct the error.
    """

    def part(cases: Sequence[Example]) -> list[Example]:
        order = sorted(cases, key=lambda one: digest([seed, one.id]))
        chosen = {one.id for one in order[: _count(spike, cases)]}
        longer = [one.target + spike.text for one in cases]
        return [
            replace(one, rejected=text, archive=text if one.id in chosen else None)
            for one, text in zip(cases, longer, strict=True)
        ]

    return Splits(part(splits.train), part(splits.validation), splits.test)


def _count(spike: Spike, cases: Sequence[Example]) -> int:
    """How many of the cases learn the error."""
    return round(spike.share * len(cases))
