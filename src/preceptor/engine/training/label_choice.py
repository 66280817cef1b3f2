"""Examples whose answer is one of K labels and nothing else, and what SFT minimises of them: a choice, not a text."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from preceptor.engine.losses import balanced_labels, label_loss, sft_loss
from preceptor.engine.settings import SFTSettings
from preceptor.engine.training.stage import Forward, Loss
from preceptor.models import Encoded


@dataclass(frozen=True, slots=True, repr=False)
class EncodedChoice:
    """Token ids of a prompt, and of every label as its answer, stop token included; `gold` is the place of the right
    one. All labels are leaves of the same prefix tree behind the prompt.
    """

    prompt: list[int]
    answers: list[list[int]]
    gold: int

    def sequences(self) -> list[Encoded]:
        """The prompt with each of the answers."""
        return [Encoded(self.prompt, answer) for answer in self.answers]


def choice_loss(train: Sequence[EncodedChoice], settings: SFTSettings) -> Loss[EncodedChoice]:
    """The mean over the cases of a batch of

        -log softmax(scores)[gold] + label_token_weight * (mean negative log-likelihood of the right answer's tokens),

    where a label's score is the log-probability of its whole answer, stop token included. All cases have the same
    labels. `label_balance` is by their frequencies in `train`; `class_weights` weighs both parts.
    Figures: `label_nll`, the cross-entropy without correction, whatever the loss, and `label_accuracy`, the share of
    cases whose right label has the highest score.
    """
    token_weight, trained_on = settings.label_token_weight or 0.0, torch.tensor([one.gold for one in train])

    def loss(
        forward: Forward, tree: Sequence[EncodedChoice], batch: Sequence[EncodedChoice]
    ) -> tuple[Tensor, dict[str, float]]:
        logprobs = iter(forward.answer_logprobs([one for case in tree for one in case.sequences()]))
        of_cases = [[next(logprobs) for _ in case.answers] for case in tree]
        scores = torch.stack([torch.stack([one.sum() for one in labels]) for labels in of_cases])
        gold = torch.tensor([case.gold for case in tree], device=scores.device)
        tokens = torch.stack([_mean(labels[case.gold]) for labels, case in zip(of_cases, tree, strict=True)])
        adjusted, weights = balanced_labels(scores, gold, trained_on, settings.label_balance)
        total = (weights * (label_loss(adjusted, gold) + token_weight * tokens)).sum() / len(batch)
        with torch.no_grad():
            figures = {
                "label_nll": float(label_loss(scores, gold).sum()) / len(batch),
                "label_accuracy": float((scores.argmax(dim=1) == gold).sum()) / len(batch),
            }
        return total, figures

    return loss


def _mean(logprobs: Tensor) -> Tensor:
    """Negative log-likelihood a token of one answer. logprobs: [tokens]. Returns a scalar."""
    return sft_loss(logprobs) / len(logprobs)
