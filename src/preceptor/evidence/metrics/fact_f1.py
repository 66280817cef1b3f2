"""Fact-F1: the mean over texts of the F1 of the facts found in each."""

from preceptor.evidence.metrics._ratio import mean_of_scores

title = "fact-F1"
explanation = "How well the facts in a text agree with those in the right one: 0 for none, 1 for all and no other."
fits = "facts"
better = "higher"
value = mean_of_scores


def score(gold: frozenset[str], answer: frozenset[str]) -> float:
    """F1 of the facts found in one answer, 0 to 1: a fact left out costs recall, one invented costs precision.

    No facts asked and none given is right: 1.
    """
    return 2 * len(gold & answer) / (len(gold) + len(answer)) if gold or answer else 1.0
