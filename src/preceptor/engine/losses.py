"""The losses: pure functions of log-probabilities."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

LossType = Literal["sigmoid", "robust", "ipo", "hinge"]


def sft_loss(logprobs: Tensor) -> Tensor:
    """Negative log-likelihood of answer tokens, summed. logprobs: [tokens], in nats. Returns a scalar."""
    return -logprobs.sum()


def dpo_loss(margins: Tensor, beta: float, loss_type: LossType = "sigmoid", label_smoothing: float = 0.0) -> Tensor:
    """One value a pair, [pairs].

    margins: [pairs], log-ratio of chosen minus log-ratio of rejected, policy over reference, in nats; for `ipo` each
    answer's log-ratio is its mean over tokens, as TRL has it. label_smoothing: the share of pairs thought to
    be labelled the wrong way round, below 0.5.

    sigmoid: Rafailov et al. 2023, arXiv 2305.18290, equation 7; ln 2 where the policy is still the reference. With
    label smoothing it is the conservative DPO of Mitchell 2023, "A note on DPO with noisy preferences".
    robust: Chowdhury et al. 2024, arXiv 2403.00409, the unbiased estimate of the sigmoid loss under flipped labels.
    ipo: Azar et al. 2023, arXiv 2310.12036, equation 17, beta standing for its tau.
    hinge: the hinge of SLiC-HF (Zhao et al. 2023, arXiv 2305.10425) on DPO's margin.
    """
    if loss_type == "ipo":
        return (margins - 1 / (2 * beta)).square()
    if loss_type == "hinge":
        return torch.relu(1 - beta * margins)
    right, wrong = -F.logsigmoid(beta * margins), -F.logsigmoid(-beta * margins)
    if loss_type == "robust":
        return ((1 - label_smoothing) * right - label_smoothing * wrong) / (1 - 2 * label_smoothing)
    return (1 - label_smoothing) * right + label_smoothing * wrong


def reward_margins(chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor) -> Tensor:
    """The argument of equation 7 without beta: (chosen - its reference) - (rejected - its reference). All [pairs]."""
    return (chosen - reference_chosen) - (rejected - reference_rejected)
