"""ROUGE-L: the mean over texts of the longest common subsequence of words with the right text, as F1 (Lin 2004)."""

import re
from functools import cache
from typing import TYPE_CHECKING

from preceptor.evidence.metrics._ratio import mean_of_scores

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

title = "ROUGE-L"
explanation = "How long a run of words, in order, a text shares with the right one, from 0 to 1."
fits = "text"
better = "higher"
value = mean_of_scores


def score(gold: str, answer: str) -> float:
    """ROUGE-L F1 of one text, 0 to 1, without stemming."""
    return float(_rouge().score(gold, answer)["rougeL"].fmeasure)


class _Words:
    """Lower-case words of any alphabet; the package's own tokenizer drops every letter outside a-z."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())


@cache
def _rouge() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer  # takes seconds to import, and few outputs need it

    return RougeScorer(["rougeL"], tokenizer=_Words())
