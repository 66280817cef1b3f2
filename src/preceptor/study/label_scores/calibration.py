"""Label scores without what a model thinks of a label before it has read the case: arrays in, arrays out.

score(label) = log p(label | prompt) holds a part that is the same behind every prompt of a task, how likely the model
finds these words at all. Its mean over prompts of the task estimates that part, and `tau` times it is taken away: batch
calibration (Zhou et al. 2024, eq. 4, in the logarithm), where the mean is over the task's own unlabelled prompts; with
tau = 1 and a premise of the domain alone it is PMI_DC (Holtzman et al. 2021, eq. 4).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Array = NDArray[np.float64]

TAUS = (0.0, 0.5, 1.0)
"""How much of a label's mean score is taken away; few, so that little is chosen."""


def mean_scores(scores: Array) -> Array:
    """[labels] the mean, in nats, of scores [prompts, labels]; zeros where there is no prompt."""
    return scores.mean(axis=0) if len(scores) else np.zeros(scores.shape[1])


def calibrated(scores: Array, means: Array, tau: float) -> Array:
    """Scores [prompts, labels] minus tau times `means` [labels], in nats. tau = 0 gives the very scores."""
    return scores - tau * means


def label_probabilities(scores: Array, means: Array, tau: float) -> Array:
    """[prompts, labels] softmax over the labels of the calibrated scores."""
    shares: Array = softmax(calibrated(scores, means, tau), axis=-1)
    return shares


def choose_tau(merit: Callable[[float], float]) -> float:
    """Of `TAUS` the one of the highest merit, more being better; the smallest of equal ones."""
    return max(TAUS, key=merit)


def as_scores(rows: Any, labels: int) -> Array:
    """Rows of numbers as scores [prompts, labels], also where there are none."""
    return np.asarray(rows, dtype=np.float64).reshape(-1, labels)
