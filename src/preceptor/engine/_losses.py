"""The losses: pure functions of log-probabilities."""

import torch.nn.functional as F
from torch import Tensor


def sft_loss(logprobs: Tensor) -> Tensor:
    """Negative log-likelihood of answer tokens, summed. logprobs: [tokens], in nats. Returns a scalar."""
    return -logprobs.sum()


def dpo_loss(margins: Tensor, beta: float) -> Tensor:
    """DPO's sigmoid loss, one value a pair (Rafailov et al. 2023, arXiv 2305.18290, equation 7).

    margins: [pairs], log-ratio of chosen minus log-ratio of rejected, policy over reference, in nats.
    Returns [pairs]; ln 2 where the policy is still the reference.
    """
    return -F.logsigmoid(beta * margins)


def reward_margins(chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor) -> Tensor:
    """The argument of equation 7 without beta: (chosen - its reference) - (rejected - its reference). All [pairs]."""
    return (chosen - reference_chosen) - (rejected - reference_rejected)
