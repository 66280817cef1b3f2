"""AUROC: of a case with a label and one without, how often the first has the higher score; a tie is a half."""

import numpy as np

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._by_label import mean_over_labels

title = "AUROC"
explanation = (
    "How often a case with a label is given a higher score for it than a case without: 1 is always, 0.5 is chance; the "
    "mean over the labels. Where an arm only names a label, that one has score 1 and all others 0, and an answer that "
    "cannot be read gives every label 0."
)
fits = "label_scores"
better = "higher"


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]; NaN where no label both occurs and is missing in some case."""
    return mean_over_labels(sample, weights, _area)


def _area(having: Floats, others: Floats) -> Floats:
    """Weights of both sides at each score, highest first [rows, scores] -> the share of pairs in order [rows]."""
    higher = having.cumsum(axis=1) - having / 2
    pairs = having.sum(axis=1) * others.sum(axis=1)
    area: Floats = np.divide(
        np.einsum("rs,rs->r", others, higher), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0
    )
    return area
