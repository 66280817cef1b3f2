"""Heads: a linear layer on the hidden states of a sequence, pooled to one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.models._chunks import CHUNK_SETTINGS, Chunks, chunk_problems, chunk_settings, snippets_of

POOLS = ("first", "last", "mean", "attention")
"""Which hidden states of a sequence a head reads; see `Head`."""
SNIPPET_ATTENTION = "snippet_attention"
SNIPPET_POOLS = ("snippet_mean", SNIPPET_ATTENTION)
"""The same of a case in snippets."""
_INNER = 128
"""The width of the layer that weighs snippets."""


class Head(nn.Linear):
    """A linear layer on one hidden state of a sequence: weight [outputs, hidden_size], bias [outputs] or None, float32.

    pool: `first` or `last`, that token's state; `mean`, the mean of all tokens' states; `attention`, their mean
    weighted by a softmax over the tokens of state . query / sqrt(hidden_size) (Yang et al. 2016, section 2.2, without
    its inner layer). `query` [hidden_size] learns and begins as 0, where it is the plain mean.
    chunks: those that a long sequence is read in; None where every sequence is read as it is. `mean` and `attention`
    are over the tokens of all chunks, `first` and `last` the mean of that token's state over the chunks.

    Of a case in snippets, with h_j the mean of the states of snippet j: `snippet_mean`, the mean of all h_j;
    `snippet_attention`, sum_j a_j h_j with a the softmax over the case's snippets of v . tanh(U h_j) (Ilse et al.
    2018, arXiv 1802.04712, eq. 8). v (`query` [128]) begins as 0, where it is the plain mean; U is `inner` [128,
    hidden_size].
    """

    def __init__(
        self,
        hidden_size: int,
        outputs: int,
        pool: str,
        *,
        bias: bool = True,
        chunks: Chunks | None = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(hidden_size, outputs, bias=bias, device=device)
        self.pool, self.chunks = pool, chunks
        if pool == "attention":
            self.query = nn.Parameter(torch.zeros(hidden_size, device=device))
        if pool == SNIPPET_ATTENTION:
            self.inner = nn.Parameter(torch.zeros(_INNER, hidden_size, device=device))
            self.query = nn.Parameter(torch.zeros(_INNER, device=device))

    def pieces(self, ids: list[int]) -> list[list[int]]:
        """The token ids of a sequence as the model is given them: its snippets, its chunks, or the sequence itself."""
        if self.pool in SNIPPET_POOLS:
            return snippets_of(ids)
        return [ids] if self.chunks is None else self.chunks.of(ids)

    def pooled(self, pieces: Sequence[Tensor]) -> Tensor:
        """The state that the layer reads: [hidden_size], of the states that `rows_read` names of each piece, [rows,
        hidden_size].
        """
        if self.pool in SNIPPET_POOLS:
            return self.of_snippets(snippet_states(pieces))
        states = torch.cat([*pieces])
        if self.pool == "attention":
            weights: Tensor = (states @ self.query * self.in_features**-0.5).softmax(0)
            return weights @ states
        return states[0] if len(states) == 1 else states.mean(0)

    def snippet_weights(self, states: Tensor) -> Tensor:
        """How much each snippet counts, adding up to 1: [snippets], of their mean states [snippets, hidden_size]."""
        if self.pool != SNIPPET_ATTENTION:
            return states.new_full((len(states),), 1 / len(states))
        return (torch.tanh(states @ self.inner.T) @ self.query).softmax(0)

    def of_snippets(self, states: Tensor) -> Tensor:
        """`pooled` of the mean states of a case's snippets: [hidden_size]."""
        return self.snippet_weights(states) @ states


def snippet_states(pieces: Sequence[Tensor]) -> Tensor:
    """The mean state of each snippet, of the states of each [tokens, hidden_size]: [snippets, hidden_size]."""
    return torch.stack([states.mean(0) for states in pieces])


def rows_read(pool: str, length: int) -> range:
    """The tokens, of a sequence of `length`, whose hidden states a head reads."""
    if pool == "first":
        return range(1)
    return range(length - 1, length) if pool == "last" else range(length)


def head_problems(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with a head's settings, whatever its model."""
    problems = chunk_problems(settings)
    if set(settings) - {"outputs", "pool", *CHUNK_SETTINGS}:
        known = ", ".join(f"`{name}`" for name in ("pool", *CHUNK_SETTINGS))
        problems.append(f"a head has the settings {known}; it has an output for each label of the task")
    pool = settings.get("pool", POOLS[0])
    if pool not in (*POOLS, *SNIPPET_POOLS):
        problems.append(f"pool must be one of {', '.join((*POOLS, *SNIPPET_POOLS))}")
    elif pool in SNIPPET_POOLS and {*settings} & {*CHUNK_SETTINGS}:
        problems.append(f"pool: {pool} reads each snippet in one piece; take {' and '.join(CHUNK_SETTINGS)} out")
    return problems


def metadata_of(head: Head) -> dict[str, str]:
    """What a head's file says of it, as one entry: safetensors writes several in no order, so other bytes each time."""
    if head.chunks is None:
        return {"pool": head.pool}
    return {"settings": json.dumps({"pool": head.pool} | chunk_settings(head.chunks))}


def settings_of(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The same read again; nothing of a head that was written before there was a choice of what it reads."""
    said: dict[str, Any] = json.loads(metadata.get("settings", "{}"))
    return said or {name: metadata[name] for name in metadata.keys() & {"pool"}}


def add_head(model: Any, name: str, outputs: int, pool: str, *, seed: int, chunks: Chunks | None = None) -> None:
    """Put a head on the model, its weight drawn from `seed`, so that what lies below it has a gradient from the first
    step on. On a causal model it has no bias, as transformers' own heads there have none.
    """
    width, biased = int(model.config.get_text_config().hidden_size), model.get_output_embeddings() is None
    head = Head(width, outputs, pool, bias=biased, chunks=chunks, device=next(model.parameters()).device)
    drawn = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.randn(outputs, width, generator=drawn, device="cpu") * width**-0.5)
        if pool == SNIPPET_ATTENTION:
            head.inner.copy_(torch.randn(_INNER, width, generator=drawn, device="cpu") * width**-0.5)
        if biased:
            head.bias.zero_()
    if "heads" not in model._modules:
        model.heads = nn.ModuleDict()
    model.heads[name] = head


def heads_of(model: nn.Module) -> dict[str, Head]:
    """The model's heads by the names of their slots."""
    found: Any = model._modules.get("heads") or {}
    return dict(found.items())
