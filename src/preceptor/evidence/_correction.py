"""Corrections for many tests: of the few that decide, of those that must be passed, of the many that describe."""

from collections.abc import Sequence

from statsmodels.stats.multitest import multipletests


def closed_testing(p_values: Sequence[Sequence[float]]) -> list[list[float]]:
    """Adjusted p of questions that are each answered by all of their contrasts: [questions][contrasts of each].

    Closed testing (Marcus, Peritz and Gabriel 1976, Biometrika 63:655): a contrast is claimed where every set of
    contrasts that it stands in is refused, a set by Simes's test within a question, whose contrasts share patients and
    an arm, and by Bonferroni over questions. So a study makes any false claim about a single contrast with a chance of
    5% at most. It comes to Hommel's adjusted p of the contrast's own question, beside the largest p of every other one,
    which is the other's intersection-union p (Berger 1982, Technometrics 24:295). And all contrasts of a question are
    claimed together just where Holm over the questions, each with its largest p, claims the question.
    """
    worst = [max(question) for question in p_values]
    return [
        [
            _beside(_within(own, question[:place] + question[place + 1 :]), worst[:number] + worst[number + 1 :])
            for place, own in enumerate(question)
        ]
        for number, question in enumerate(map(list, p_values))
    ]


def _within(own: float, others: Sequence[float]) -> float:
    """The largest Simes p of a set with `own` and any of the `others`: of so many, the largest."""
    falling = sorted(others, reverse=True)
    sets = [sorted([own, *falling[:count]]) for count in range(len(falling) + 1)]
    return max(min(len(rising) * p / rank for rank, p in enumerate(rising, start=1)) for rising in sets)


def _beside(own: float, others: Sequence[float]) -> float:
    """The largest Bonferroni p of a question with p `own` and any of the `others`."""
    falling = sorted(others, reverse=True)
    return min(1.0, max((count + 1) * min([own, *falling[:count]]) for count in range(len(falling) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p of one family of contrasts, in the order given: any false claim among them stays rare."""
    return _adjusted(p_values, "holm")


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p, in the order given: of the claims made, few are false."""
    return _adjusted(p_values, "fdr_bh")


def _adjusted(p_values: Sequence[float], method: str) -> list[float]:
    return [float(p) for p in multipletests(p_values, method=method)[1]] if p_values else []
