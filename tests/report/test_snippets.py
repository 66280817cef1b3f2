"""What the page says of snippets that were weighed."""

from preceptor.report._snippets import sentences
from preceptor.study.results.snippet_schema import Figure, Hits, SnippetFigures

DROP = Figure(value=0.52, ci=(0.31, 0.74), cases=140)
RANK = Figure(value=0.61, ci=(0.55, 0.67), cases=138)
HITS = Hits(share=Figure(value=0.84, ci=(0.77, 0.9), cases=140), by_chance=0.17, held=0.99)


def said(*, opened: bool = True, **changes: object) -> str:
    given = {"cases": 140, "alone": 3, "drop": DROP, "rank_correlation": RANK, "hits": HITS} | changes
    return " ".join(sentences(SnippetFigures.model_validate(given), opened=opened))


def test_drop_hits_and_rank_correlation_stand_beside_each_other() -> None:
    assert said() == (
        "Of 140 held-out cases of two snippets and more; 3 with one are left out: the arm's answer loses +0.52 [0.31, "
        "0.74] nats of log-probability more without the snippet of the largest weight than without one drawn by lot. "
        "The snippet of the largest weight holds the gold evidence in 84% [0.77, 0.90] of the cases; one drawn by lot "
        "would in 17%, and any of the case's does in 99%. Weights and drops agree in rank by +0.61 [0.55, 0.67] "
        "(Spearman's, within cases)."
    )


def test_trap_3_a_low_rank_correlation_is_said_in_words() -> None:
    """Trap 3: attention is not evidence by itself."""
    low = "the weights do not say what the answer rests on"
    assert low not in said()
    assert low in said(rank_correlation=Figure(value=0.12, ci=(-0.02, 0.25), cases=138))
    shown = "That the snippet of the largest weight matters more than another is not shown."
    assert shown not in said()
    assert shown in said(drop=Figure(value=0.02, ci=(-0.1, 0.15), cases=140))
    assert shown in said(drop=Figure(value=0.02, ci=(None, None), cases=1))


def test_without_evidence_and_of_few_cases_nothing_more_is_said() -> None:
    assert "gold evidence" not in said(hits=None)
    assert "rank" not in said(rank_correlation=None)
    assert "; <5 with one are left out" in said(opened=False)
    assert "left out" not in said(alone=0)
