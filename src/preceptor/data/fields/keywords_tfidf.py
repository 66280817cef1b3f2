"""The terms of a text that say most about it: words and word pairs by TF-IDF, with what training texts say is rare."""

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from preceptor.errors import InputError, Problem
from preceptor.tasks import Example, Task

_WORD = r"[^\W\d_]{2,}"
"""Numbers are no keywords."""
_FEWEST_TEXTS = 2
"""A term of one training text alone would be a keyword there, and of no held-out text."""


class Settings(BaseModel):
    """How many terms are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=20, gt=0)


def fit(train: Sequence[Example], source: str, task: Task, settings: Settings) -> Callable[[Example], str]:
    """The `count` terms with the highest (1 + ln tf) ln((1 + n) / (1 + df)), best first, joined by commas.

    A term of all training texts has weight 0 and is none. Raises `InputError` when no term stands in two of the texts.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # which reading a table does not need

    texts = [case.fields[source] for case in train]
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORD, min_df=_FEWEST_TEXTS, norm=None
    )
    try:
        vectorizer.fit(texts)
    except ValueError:
        what = f"no word of {source} stands in two training cases, so none can be told to be a keyword"
        raise InputError(Problem(f"task {task.name}, keywords_tfidf", what, "Name another field")) from None
    vectorizer.idf_ = vectorizer.idf_ - 1
    terms = vectorizer.get_feature_names_out()

    def make(example: Example) -> str:
        row = vectorizer.transform([example.fields[source]])
        order = np.lexsort((terms[row.indices], -row.data))
        return ", ".join(terms[row.indices[i]] for i in order[: settings.count] if row.data[i] > 0)

    return make
