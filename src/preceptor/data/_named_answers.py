"""Which fields name the answer: hold the case's own label, more often than labels stand there by chance."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from preceptor.data._finding import Finding
from preceptor.tasks import Example, Task, composed

NAMES_THE_ANSWER = "names_the_answer"
"""The code of the findings of `check_named_answers`."""

WORTH_A_CAUTION = 0.25
"""The share beyond chance from which a field is said to name the answer.

To read the label off in a share s of the cases turns an accuracy a into a + s (1 - a). Where four of five cases are
answered rightly without it, a quarter is worth 0.05, the smallest difference that the studies here call one. Notes that
name their answer in passing stay below: of MTSamples' (40 specialties), 8% hold their own, and 6% would by chance.
"""

FieldText = Callable[[Example], str]


@dataclass(frozen=True, slots=True)
class Named:
    """In which share of the cases a text holds the case's own label, and in which it would if labels were exchanged
    among the cases: a text that holds the word "no" everywhere names no answer.
    """

    share: float
    by_chance: float

    @property
    def beyond_chance(self) -> float:
        """0: as often as by chance, or less; 1: always, which chance would not do."""
        if self.share <= self.by_chance:
            return 0.0
        return (self.share - self.by_chance) / (1 - self.by_chance)

    @property
    def is_much(self) -> bool:
        """Whether so many cases name their answer that a reader of nothing else gains by it."""
        return self.beyond_chance >= WORTH_A_CAUTION


def named_answers(task: Task, cases: Sequence[Example], text_of: FieldText) -> Named:
    """How often the label stands in a text of its case, case aside, as whole words: punctuation between them is none.

    A label within a longer one is not meant by it: `not met` does not hold `met`. 0 for a task without labels.
    """
    labels = [" ".join(_words(label)) for label in task.labels]
    if not labels or not cases:
        return Named(0.0, 0.0)
    longest_first = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    find = re.compile(rf"(?<!\S)(?:{longest_first})(?!\S)")
    held = [set(find.findall(" ".join(_words(text_of(case))))) for case in cases]
    gold = [" ".join(_words(task.parse(case.target))) for case in cases]
    count, holding = Counter(gold), Counter(label for some in held for label in some)
    share = sum(label in some for label, some in zip(gold, held, strict=True)) / len(cases)
    return Named(share, sum(count[label] * holding[label] for label in labels) / len(cases) ** 2)


def named_by_field(task: Task, train: Sequence[Example]) -> dict[str, Named]:
    """Field -> how often it holds the case's own label in training; empty for a task without labels. Not of evidence,
    which no prompt shows.
    """
    names = (
        dict.fromkeys(name for case in train for name in case.fields if name != task.evidence) if task.labels else ()
    )
    return {name: named_answers(task, train, lambda case, name=name: case.fields.get(name, "")) for name in names}  # type: ignore[misc]


def check_named_answers(fields: Mapping[str, Named]) -> Iterator[Finding]:
    """Fields that hold the case's own label in so many training cases that they may be the answer in other words."""
    for name, named in fields.items():
        if named.is_much:
            what = (
                f"field {name} holds the case's own label in {named.share:.0%} of them, by chance it would be "
                f"{named.by_chance:.0%}"
            )
            fix = (
                "Ask who wrote it, and when. If it was written by somebody who knew the answer, as keywords and codes "
                "are, leave it out of the prompt, or show it in a view that is `known: after`; if it says the answer "
                "as every new case will, change nothing."
            )
            yield Finding(NAMES_THE_ANSWER, "warning", "train cases", what, fix, split="train")


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", composed(text).casefold())
