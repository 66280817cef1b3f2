"""Heads: a linear layer on the hidden states of a sequence, pooled to one."""

from typing import Any

import torch
from torch import Tensor, nn

POOLS = ("first", "last", "mean", "attention")
"""Which hidden states of a sequence a head reads; see `Head`."""


class Head(nn.Linear):
    """A linear layer on one hidden state of a sequence: weight [outputs, hidden_size], bias [outputs] or None, float32.

    pool: `first` or `last`, that token's state; `mean`, the mean of all tokens' states; `attention`, their mean
    weighted by a softmax over the tokens of state . query / sqrt(hidden_size) (Yang et al. 2016, section 2.2, without
    its inner layer). `query` [hidden_size] learns and begins as 0, where it is the plain mean.
    """

    def __init__(
        self, hidden_size: int, outputs: int, pool: str, *, bias: bool = True, device: torch.device | None = None
    ) -> None:
        super().__init__(hidden_size, outputs, bias=bias, device=device)
        self.pool = pool
        if pool == "attention":
            self.query = nn.Parameter(torch.zeros(hidden_size, device=device))

    def pooled(self, states: Tensor) -> Tensor:
        """The state that the layer reads: [hidden_size], of the states that `rows_read` names [rows, hidden_size]."""
        if self.pool == "attention":
            weights: Tensor = (states @ self.query * self.in_features**-0.5).softmax(0)
            return weights @ states
        return states.mean(0) if self.pool == "mean" else states[0]


def rows_read(pool: str, length: int) -> range:
    """The tokens, of a sequence of `length`, whose hidden states a head reads."""
    if pool == "first":
        return range(1)
    return range(length - 1, length) if pool == "last" else range(length)


def add_head(model: Any, name: str, outputs: int, pool: str, *, seed: int) -> None:
    """Put a head on the model, its weight drawn from `seed`, so that what lies below it has a gradient from the first
    step on. On a causal model it has no bias, as transformers' own heads there have none.
    """
    width, biased = int(model.config.get_text_config().hidden_size), model.get_output_embeddings() is None
    head = Head(width, outputs, pool, bias=biased, device=next(model.parameters()).device)
    drawn = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.randn(outputs, width, generator=drawn, device="cpu") * width**-0.5)
        if biased:
            head.bias.zero_()
    if "heads" not in model._modules:
        model.heads = nn.ModuleDict()
    model.heads[name] = head


def heads_of(model: nn.Module) -> dict[str, Head]:
    """The model's heads by the names of their slots."""
    found: Any = model._modules.get("heads") or {}
    return dict(found.items())
