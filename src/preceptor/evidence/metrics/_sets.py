"""Counts of labels, case by case, for metrics of sets."""

from typing import NamedTuple

from preceptor.evidence._sample import Ints, Sample


class SetCounts(NamedTuple):
    """Labels of each case, each [cases]: those that are right and given, all that are right, all that are given."""

    hits: Ints
    gold: Ints
    given: Ints


def set_counts(sample: Sample) -> SetCounts:
    """Unknown labels are given and right nowhere; an answer that cannot be read counts as one of them."""
    gold, predicted, wrong = sample.sets()
    return SetCounts((gold & predicted).sum(axis=1), gold.sum(axis=1), predicted.sum(axis=1) + wrong)
