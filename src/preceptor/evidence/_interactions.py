"""How often what is given together interacts: a share of pairs, over all cases."""

from functools import partial

import numpy as np

from preceptor.evidence._estimate import Estimate, estimate
from preceptor.evidence._sample import Bools, Floats, Sample
from preceptor.evidence.metrics import Metric
from preceptor.evidence.metrics._ratio import ratio


def interaction_rate(sample: Sample, interacting: Bools) -> Estimate:
    """Of all pairs of labels that are given to a case together, the share that interacts, over all cases (Shang et al.
    2019, GAMENet), with its 95% interval, patients resampled; None where no case is given two labels.

    interacting: [labels, labels], symmetric, which pairs do. Labels that the task does not have are in no pair.
    """
    metric = Metric(
        "interaction_rate", "interacting pairs", "", "label_sets", "lower", partial(_value, interacting.astype(float))
    )
    return estimate(metric, sample)


def _value(interacting: Floats, sample: Sample, weights: Floats) -> Floats:
    given = sample.sets()[1].astype(float)
    sizes = given.sum(axis=1)
    return ratio(np.einsum("ci,ij,cj->c", given, interacting, given) / 2, sizes * (sizes - 1) / 2, weights)
