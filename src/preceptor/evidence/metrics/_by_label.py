"""Metrics of how well label scores rank cases: one label against all others, and the mean over labels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence._resampling import CELLS_AT_ONCE, row_blocks
from preceptor.evidence._sample import Floats, Sample

Ranking = Callable[[Floats, Floats], Floats]
"""Weights of the cases with the label and of all others, each [rows, scores], highest score first -> [rows]."""


def mean_over_labels(sample: Sample, weights: Floats, ranking: Ranking) -> Floats:
    """Weights [rows, cases] -> [rows]: the mean over the labels that occur with a defined `ranking`; NaN without one.

    Where the sample names `positives`, the sum of their scores tells these labels, taken together, from all others; of
    cases with several labels, the mean is over these labels alone.
    """
    has, scores = sample.scored_sets()
    if sample.positives and sample.gold_sets is None:
        sides = [(np.asarray(has[:, sample.positives].any(axis=1)), scores[:, sample.positives].sum(axis=1))]
    else:
        asked = sample.positives or np.flatnonzero(has.any(axis=0)).tolist()
        sides = [(has[:, label], scores[:, label]) for label in asked]
    ranked = [_ranked(has_label, score, weights, ranking) for has_label, score in sides]
    values = np.array(ranked).reshape(len(sides), len(weights))
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0).sum(axis=0), known.sum(axis=0)
    mean: Floats = np.divide(total, count, out=np.full(len(weights), np.nan), where=count > 0)
    return mean


def _ranked(has_label: NDArray[np.bool_], score: Floats, weights: Floats, ranking: Ranking) -> Floats:
    """The cases are sorted once; a few rows at a time, so that memory stays small and near."""
    order = np.argsort(-score, kind="stable")
    ranked, is_in = score[order], has_label[order]
    first = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))  # of the cases with the same score
    ties = len(first) < len(score)
    values = []
    for rows in row_blocks(len(weights), len(score), CELLS_AT_ONCE):
        one = np.take(weights[rows.start : rows.stop], order, axis=1)
        sides = (one * is_in, one * ~is_in)
        values.append(ranking(*(np.add.reduceat(side, first, axis=1) if ties else side for side in sides)))
    return np.concatenate(values)
