"""Whether the weights of snippets point at what decided: held against gold evidence, and against leaving them out."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from preceptor.evidence import mean_over_cases
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answer_context import Snippet
from preceptor.study.predictions.prediction_files import Prediction
from preceptor.study.results.snippet_schema import Figure, Hits, SnippetFigures

_FEWEST_TO_RANK = 3
Weighed = tuple[str, str, Sequence[Snippet]]
"""Of a case: its patient, its gold evidence, and its snippets."""


def snippet_figures(prepared: Prepared, predictions: Sequence[Prediction]) -> SnippetFigures | None:
    """What the weights of an arm come to; None of an arm that weighs none, or has no case of two snippets."""
    weighed: list[Weighed] = [
        (case.group, _evidence(prepared, case.fields), one.snippets)
        for one, case in zip(predictions, prepared.splits.test, strict=True)
        if one.snippets
    ]
    several = [one for one in weighed if len(one[2]) > 1]
    if not several:
        return None
    return SnippetFigures(
        cases=len(several),
        alone=len(weighed) - len(several),
        drop=_figure([(patient, _drop_of_largest(snippets)) for patient, _, snippets in several]),
        rank_correlation=_rank_correlation(several),
        hits=_hits([one for one in several if one[1]]),
    )


def _evidence(prepared: Prepared, fields: Mapping[str, str]) -> str:
    name = prepared.task.evidence
    return fields[name].strip() if name else ""


def _largest(snippets: Sequence[Snippet]) -> int:
    return max(range(len(snippets)), key=lambda j: snippets[j].weight)


def _drop_of_largest(snippets: Sequence[Snippet]) -> float:
    drops = _drops(snippets)
    return float(drops[_largest(snippets)] - drops.mean())


def _drops(snippets: Sequence[Snippet]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([one.drop for one in snippets], dtype=float)


def _rank_correlation(weighed: Sequence[Weighed]) -> Figure | None:
    """Equal weights or drops have no order, and say nothing."""
    found = []
    for patient, _, snippets in weighed:
        weights, drops = np.array([one.weight for one in snippets]), _drops(snippets)
        if len(snippets) >= _FEWEST_TO_RANK and np.ptp(weights) and np.ptp(drops):
            found.append((patient, float(spearmanr(weights, drops).statistic)))
    return _figure(found) if found else None


def _hits(weighed: Sequence[Weighed]) -> Hits | None:
    if not weighed:
        return None
    held = [[evidence in one.text for one in snippets] for _, evidence, snippets in weighed]
    hit = [float(one[_largest(snippets)]) for one, (_, _, snippets) in zip(held, weighed, strict=True)]
    return Hits(
        share=_figure([(one[0], right) for one, right in zip(weighed, hit, strict=True)]),
        by_chance=float(np.mean([np.mean(one) for one in held])),
        held=float(np.mean([any(one) for one in held])),
    )


def _figure(values: Sequence[tuple[str, float]]) -> Figure:
    groups, numbers = zip(*values, strict=True)
    mean = mean_over_cases(np.array(groups), np.array(numbers, dtype=float))
    return Figure(value=mean.value, ci=(mean.low, mean.high), cases=mean.n)
