"""A held-out case of the study, sent again to the model under test."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

SAME_PROBABILITY = 0.05
"""Probabilities of a label that differ by no more are the same under another rounding: 16-bit weights move them by some
hundredths, float32 by less than 0.0001.
"""
_SMALLEST = 1e-30
"""Stands for a probability that was told as 0."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The study's answer to one case (`measured`) and the model's (`served`).

    measured_prompt, served_prompt: prompt lengths in tokens, None where the server reports none. logprobs: the tokens
    of the served answer with their log-probabilities in nats, None where the server reports none. measured_scores,
    served_scores: label -> how probable it is, where both scored labels.
    """

    id: str
    measured: str = field(repr=False)
    served: str = field(repr=False)
    measured_prompt: int
    served_prompt: int | None = None
    logprobs: tuple[tuple[str, float], ...] | None = field(default=None, repr=False)
    measured_scores: Mapping[str, float] | None = field(default=None, repr=False)
    served_scores: Mapping[str, float] | None = field(default=None, repr=False)

    @property
    def probability_gap(self) -> float | None:
        """The largest difference between a label's two probabilities; None where labels were not scored."""
        if self.measured_scores is None or self.served_scores is None:
            return None
        served = self.served_scores
        return max(abs(share - served.get(label, 0.0)) for label, share in self.measured_scores.items())

    @property
    def same(self) -> bool:
        """Whether the two texts are equal up to surrounding white space."""
        return stripped(self.measured) == stripped(self.served)

    @property
    def diverges_at(self) -> int:
        """The length of the common prefix, in characters."""
        return common_prefix(self.measured, self.served)

    @property
    def continues(self) -> bool:
        """Whether the measured text is a proper prefix of the served one."""
        return not self.same and 0 < self.diverges_at == len(stripped(self.measured))

    @property
    def truncated(self) -> bool:
        """Whether the served text is a proper prefix of the measured one."""
        return not self.same and 0 < self.diverges_at == len(stripped(self.served))


def scores_gap(measured: Mapping[str, float], served: Mapping[str, float]) -> float:
    """Mean absolute difference of the labels' log-probabilities, in nats per label."""
    gaps = (abs(_log(share) - _log(served.get(label, 0.0))) for label, share in measured.items())
    return sum(gaps) / len(measured)


def _log(share: float) -> float:
    return math.log(max(share, _SMALLEST))


def stripped(text: str) -> str:
    """`text` without surrounding white space, unless it holds nothing else."""
    return text.strip() or text


def common_prefix(one: str, other: str) -> int:
    """The length in characters of the common prefix of two texts, surrounding white space ignored."""
    a, b = stripped(one), stripped(other)
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
