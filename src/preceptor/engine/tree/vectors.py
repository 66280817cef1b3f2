"""Vectors in place of tokens: those that the active slot puts in front of every sequence, and any within sequences.

Soft tokens (PEFT's `PROMPT_TUNING` and `P_TUNING`) are the first nodes of a tree, with embeddings that are given; a
prefix (`PREFIX_TUNING`) has no nodes and gives every layer keys and values. Both come first in position, as in PEFT.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.engine.tree.layout import Tree, layout
from preceptor.models import prefix_tokens, soft_tokens


def layout_for(model: nn.Module, sequences: Sequence[Sequence[int]]) -> Tree:
    """The sequences as a prefix tree behind what the model's active slot puts in front of them."""
    return layout(sequences, soft=soft_tokens(model), prefix=prefix_tokens(model))


def tree_inputs(model: Any, tree: Tree, vectors: Tensor | None) -> dict[str, Any]:
    """What the model under peft's wrapping is given for a tree; see `inputs_of` for `vectors`."""
    ids = torch.tensor(tree.ids, device=next(model.parameters()).device)
    given = inputs_of(model, ids[tree.soft :], vectors)
    if tree.soft:
        own = given["inputs_embeds"] if vectors is not None else _embedding(model)(given["input_ids"])
        given = {"inputs_embeds": torch.cat([model.get_prompt(1).to(own.dtype), own], dim=1)}
    if tree.prefix:
        given["past_key_values"] = model.get_prompt(1)
    return given | {"position_ids": torch.tensor([tree.positions], device=ids.device)}


def inputs_of(model: nn.Module, ids: Tensor, vectors: Tensor | None) -> dict[str, Tensor]:
    """A sequence [T] as a model is given it: its ids, or where `vectors` [K, hidden_size] stand in it its embeddings,
    [1, T, hidden_size], with a gradient to the vectors. An id of -1 - j is the j-th of them.
    """
    if vectors is None:
        return {"input_ids": ids[None]}
    known = _embedding(model)(ids.clamp(min=0))
    (places,) = (ids < 0).nonzero(as_tuple=True)
    return {"inputs_embeds": known.index_put((places,), vectors[-1 - ids[places]].to(known.dtype))[None]}


def _embedding(model: Any) -> nn.Module:
    embedding: nn.Module = model.get_input_embeddings()
    return embedding
