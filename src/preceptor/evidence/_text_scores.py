"""Scores of one written answer against its gold: words in order, and facts."""

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer


def rouge_l(gold: str, text: str) -> float:
    """ROUGE-L F1 of `text`, 0 to 1 (Lin 2004): longest common subsequence of words, without stemming."""
    return float(_rouge().score(gold, text)["rougeL"].fmeasure)


def fact_f1(gold: frozenset[str], found: frozenset[str]) -> float:
    """F1 of the facts found in an answer, 0 to 1: a fact left out costs recall, one invented costs precision.

    No facts asked and none given is right: 1.
    """
    return 2 * len(gold & found) / (len(gold) + len(found)) if gold or found else 1.0


class _Words:
    """Lower-case words of any alphabet; the package's own tokenizer drops every letter outside a-z."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())


@cache
def _rouge() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer  # takes seconds to import, and few outputs need it

    return RougeScorer(["rougeL"], tokenizer=_Words())
