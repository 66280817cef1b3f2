"""From hidden states to log-probabilities of tokens, without ever holding a logit for every token and word."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.utils.checkpoint import checkpoint

from preceptor.engine.output_layer import float32_copy, float32_linear, product, slope

_ROWS = 128
"""Hidden states that meet the vocabulary at a time: 128 rows of a vocabulary of 50,000 are 25 MB of float32."""


def token_logprobs(hidden: Tensor, head: nn.Linear, rows: Tensor, targets: Tensor, softcap: float | None) -> Tensor:
    """Log-probability of token targets[i] after hidden state rows[i].

    hidden: [R, hidden_size]. rows, targets: [N], a row may have several targets. softcap: Gemma's logit soft-capping.
    Returns [N] float32, in nats.
    """
    if head.weight.requires_grad or (head.bias is not None and head.bias.requires_grad):
        return _recomputed(hidden, head, rows, targets, softcap)
    frozen: Any = _FrozenHead
    logprobs: Tensor = frozen.apply(hidden, head.weight, head.bias, float32_copy(head), rows, targets, softcap)
    return logprobs


class _FrozenHead(Function):
    """With a frozen head, d logprob / d hidden is known in the forward: weight[target] minus the mean weight under the
    model's own distribution. Keeping that difference, [R, hidden_size], spares the backward a second product with the
    vocabulary. It is taken before the product, where both sides are float32: a likely token's is small.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        copy: Tensor | None,
        rows: Tensor,
        targets: Tensor,
        softcap: float | None,
    ) -> Tensor:
        learning = ctx.needs_input_grad[0]
        # One of each row's targets, the same on every device: the order of writes is not defined on an accelerator.
        first = torch.zeros(len(hidden), dtype=torch.long, device=hidden.device)
        first.scatter_reduce_(0, rows, targets, reduce="amax", include_self=False)
        chosen = hidden.new_empty(len(rows), dtype=torch.float32)
        bend = hidden.new_ones(len(rows), dtype=torch.float32)
        slopes = torch.empty_like(hidden) if learning else None
        for start in range(0, len(hidden), _ROWS):
            part = slice(start, start + _ROWS)
            logits = _bent(_logits(hidden[part], weight, bias, copy), softcap)
            asked = ((rows >= start) & (rows < start + _ROWS)).nonzero()[:, 0]
            cells = (rows[asked] - start, targets[asked])
            bent = None if softcap is None else 1 - (logits / softcap).square()
            if bent is not None:
                bend[asked] = bent[cells]
            logsumexp = logits.logsumexp(-1, keepdim=True)
            chosen[asked] = logits[cells] - logsumexp[cells[0], 0]
            if slopes is not None:
                difference = logits.sub_(logsumexp).exp_().neg_()
                difference[torch.arange(len(difference)), first[part]] += 1
                if bent is not None:
                    difference *= bent
                slopes[part] = slope(difference, weight, copy)
        ctx.save_for_backward(slopes, weight, rows, targets, first, bend)
        return chosen

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        slopes, weight, rows, targets, first, bend = ctx.saved_tensors
        total = torch.zeros(len(slopes), device=gradient.device).index_add_(0, rows, gradient)
        out = slopes * total[:, None].to(slopes.dtype)
        others = (targets != first[rows]).nonzero()[:, 0]
        if len(others):  # a row with several targets: from its first target's slope to theirs
            bend_of_first = torch.zeros_like(total)
            is_first = targets == first[rows]
            bend_of_first[rows[is_first]] = bend[is_first]
            row = rows[others]
            apart = weight[targets[others]] * bend[others, None].to(weight.dtype)
            apart = apart - weight[first[row]] * bend_of_first[row, None].to(weight.dtype)
            out.index_add_(0, row, apart * gradient[others, None].to(weight.dtype))
        return out, None, None, None, None, None, None


def _recomputed(hidden: Tensor, head: nn.Linear, rows: Tensor, targets: Tensor, softcap: float | None) -> Tensor:
    """A head that learns: each part's logits are computed again in the backward instead of being kept."""

    def part_logprobs(part: Tensor, cells: tuple[Tensor, Tensor]) -> Tensor:
        return logits_of(part, head, softcap).log_softmax(-1)[cells]

    order, parts = [], []
    for start in range(0, len(hidden), _ROWS):
        asked = ((rows >= start) & (rows < start + _ROWS)).nonzero()[:, 0]
        cells = (rows[asked] - start, targets[asked])
        part: Any = checkpoint(part_logprobs, hidden[start : start + _ROWS], cells, use_reentrant=False)
        order.append(asked)
        parts.append(part)
    return torch.cat(parts)[torch.cat(order).argsort()]


def logits_of(hidden: Tensor, head: nn.Linear, softcap: float | None) -> Tensor:
    """[R, vocab_size] float32 logits of hidden states [R, hidden_size]; softcap: Gemma's logit soft-capping."""
    return _bent(float32_linear(hidden, head), softcap)


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, copy: Tensor | None) -> Tensor:
    if weight.dtype == torch.float32:
        return nn.functional.linear(hidden, weight, bias)
    logits = product(hidden, weight, copy)
    return logits if bias is None else logits.add_(bias)


def _bent(logits: Tensor, softcap: float | None) -> Tensor:
    return logits if softcap is None else softcap * torch.tanh(logits / softcap)
