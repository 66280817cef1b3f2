"""The share of texts that hold a phrase which they must not have, such as one copied forward from an older letter."""

import unicodedata
from collections.abc import Sequence

from preceptor.evidence.metrics._ratio import mean_of_scores

title = "unwanted phrase"
explanation = "The share of answers that hold a phrase which no right answer has; capitals and spacing do not matter."
fits = "text"
better = "lower"
needs_positives = True
value = mean_of_scores


def score(gold: str, answer: str, phrases: Sequence[str]) -> float:
    """1 where the answer holds one of `phrases`, else 0."""
    text = _plain(answer)
    return float(any(_plain(phrase) in text for phrase in phrases))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
