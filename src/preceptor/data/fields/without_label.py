"""A text without the words of the task's labels: what is left of keywords when the answer is taken out."""

import re
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict

from preceptor.tasks import Example, Task, composed

_BETWEEN = r"[\W_]+"
_GAPS = re.compile(r"(?:[^\S\n]*[,;/][^\S\n]*){2,}")
_ENDS = " ,;/"


class Settings(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def fit(train: Sequence[Example], source: str, task: Task, settings: Settings) -> Callable[[Example], str]:
    """Take out every label of the task, and each word of one that has several, case aside.

    The words of all labels go, whichever the case has: those of its own alone could only be told by its answer. Words
    that carry no meaning by themselves (`of`, `and`, `not`) go only with the whole label.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # which reading a table does not need

    labels = [re.findall(r"\w+", label) for label in task.labels]
    words = {word.casefold() for label in labels for word in label} - ENGLISH_STOP_WORDS
    parts = [_BETWEEN.join(map(re.escape, label)) for label in labels] + [re.escape(word) for word in sorted(words)]
    longest_first = "|".join(sorted(parts, key=len, reverse=True))
    taken_out = re.compile(rf"[^\S\n]*(?<!\w)(?:{longest_first})(?!\w)", re.IGNORECASE)

    def make(example: Example) -> str:
        return _GAPS.sub(", ", taken_out.sub("", composed(example.fields[source]))).strip(_ENDS)

    return make
