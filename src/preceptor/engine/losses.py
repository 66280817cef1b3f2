"""The losses: pure functions of log-probabilities."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

LossType = Literal["sigmoid", "robust", "ipo", "hinge"]
LabelBalance = Literal["none", "class_weights", "logit_adjustment"]
"""What a loss over labels does about labels of which some are rarer than others."""


def sft_loss(logprobs: Tensor) -> Tensor:
    """Negative log-likelihood of answer tokens, summed. logprobs: [tokens], in nats. Returns a scalar."""
    return -logprobs.sum()


def label_loss(scores: Tensor, gold: Tensor) -> Tensor:
    """Cross-entropy over labels, one value a case: -log softmax(scores)[gold], in nats, [cases].

    scores: [cases, labels] float32, the log-probability of each label's whole answer, in nats. gold: [cases], the place
    of the right one. It is minus the log-probability of the right label, given that the answer is one of the labels;
    its slope in the scores is softmax(scores) - one_hot(gold).
    """
    return F.cross_entropy(scores, gold, reduction="none")


def label_weights(counts: Tensor) -> Tensor:
    """Weights of cases by their label, inverse to its frequency and with mean 1 over the cases: [labels].

    counts: [labels], cases of each; a label without one is weighed as if it had one. With such weights every label that
    occurs has the same part in a loss (King & Zeng 2001, "Logistic regression in rare events data", section 4).
    """
    inverse = 1 / counts.clamp(min=1)
    return inverse * counts.sum() / (counts * inverse).sum()


def label_priors(counts: Tensor) -> Tensor:
    """Log-frequency of each label, [labels]: added to scores in a loss over labels, it leaves the scores themselves to
    say what a case adds to how frequent its label is.

    counts: [labels], cases of each; a label without one is taken to have one. Menon et al. 2021, "Long-tail learning
    via logit adjustment", arXiv 2007.07314, the logit adjusted loss with tau 1; Ren et al. 2020, arXiv 2007.10740,
    "balanced softmax".
    """
    counts = counts.clamp(min=1)
    return (counts / counts.sum()).log()


def balanced_labels(scores: Tensor, gold: Tensor, trained_on: Tensor, balance: LabelBalance) -> tuple[Tensor, Tensor]:
    """What a loss over labels is of: scores, [cases, labels], and the weight of each case, [cases].

    scores, gold: see `label_loss`. trained_on: [training cases], the right label of each.
    """
    counts = torch.bincount(trained_on, minlength=scores.shape[1]).to(scores)
    if balance == "logit_adjustment":
        scores = scores + label_priors(counts)
    weights = label_weights(counts) if balance == "class_weights" else torch.ones_like(counts)
    return scores, weights[gold]


def label_set_loss(scores: Tensor, gold: Tensor) -> Tensor:
    """Binary cross-entropy of each label that a case has or has not, in nats, the mean over labels: [cases].

    scores: [cases, labels], a logit for each; gold: [cases, labels], 1 for the labels of a case, else 0.
    """
    return F.binary_cross_entropy_with_logits(scores, gold.to(scores), reduction="none").mean(dim=1)


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
