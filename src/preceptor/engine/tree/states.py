"""What a head reads: the hidden states of whole sequences, or of the pieces of long ones, pooled to one each."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from preceptor.engine.cost import Cost, forward_flops
from preceptor.engine.output_layer import output_layer
from preceptor.engine.parallel.shard import in_forward
from preceptor.engine.tree.attention import TreeAttention
from preceptor.engine.tree.batches import padded_tokens, split_into_batches, split_into_trees
from preceptor.engine.tree.logprobs import hidden_states
from preceptor.engine.tree.vectors import layout_for
from preceptor.models import Head, rows_read, snippet_states, soft_tokens

Unit = TypeVar("Unit")


def sequence_states(
    model: nn.Module,
    sequences: Sequence[list[int]],
    head: Head,
    *,
    share: bool,
    cost: Cost | None = None,
    at: Sequence[int] | None = None,
) -> Tensor:
    """The state of each sequence that `head` reads, of the last layer: [sequences, hidden_size], float32.

    With `share` the sequences are computed as one prefix tree, which an encoder cannot be; an encoder computes them as
    one batch, padded to the longest, and any other model one at a time by its own code. See `computed_together`. Where
    the head reads pieces, these are computed in place of the sequences, and count as what is seen.

    at: the token of each sequence whose state is read, in place of those that the head's pool names; no pieces are read
    then. Raises ValueError for a place behind its sequence's end.
    """
    if at is not None and not all(0 <= place < len(one) for place, one in zip(at, sequences, strict=True)):
        raise ValueError("a token to read lies outside its sequence")
    cases = [head.pieces(one) if at is None else [one] for one in sequences]
    pieces = [piece for case in cases for piece in case]
    rows = [rows_read(head.pool, len(one)) for one in pieces] if at is None else [range(one, one + 1) for one in at]

    def compute() -> tuple[Tensor, int]:
        read, computed = _states_read(model, pieces, rows, share=share)
        of_pieces = iter(read)
        return torch.stack([head.pooled([*islice(of_pieces, len(case))]) for case in cases]), computed

    states, computed = in_forward(model, compute) if share else compute()
    if cost is not None:
        cost.tokens_seen += sum(map(len, pieces))
        cost.tokens_computed += computed
        fronts = 1 if share else len(pieces)
        cost.flops += forward_flops(model, computed, 0, head_rows=len(sequences), fronts=fronts)
    return states


def states_by_batch(
    model: nn.Module,
    sequences: Sequence[list[int]],
    head: Head,
    tokens: int,
    *,
    share: bool,
    cost: Cost | None = None,
) -> Iterator[tuple[list[int], Tensor]]:
    """`sequence_states` of many sequences, those that are computed together at a time, with their numbers."""
    for numbers in computed_together(model, range(len(sequences)), lambda i: head.pieces(sequences[i]), tokens):
        yield numbers, sequence_states(model, [sequences[i] for i in numbers], head, share=share, cost=cost)


@torch.no_grad()
def states_of_snippets(model: nn.Module, sequences: Sequence[list[int]], head: Head) -> list[Tensor]:
    """The mean state of each snippet of each sequence, of an encoder's last layer: [snippets, hidden_size], float32."""
    cases = [head.pieces(one) for one in sequences]
    pieces = [piece for case in cases for piece in case]
    read, _ = _states_read(model, pieces, [rows_read(head.pool, len(one)) for one in pieces], share=False)
    of_pieces = iter(read)
    return [snippet_states([*islice(of_pieces, len(case))]) for case in cases]


def set_vectors(model: Any, sequences: Sequence[list[int]], cost: Cost) -> Tensor:
    """What a small net makes of sets of codes before it compares visits: [sequences, width], float32. Each sequence is
    one set behind its kind, and all are computed as one batch, padded to the longest.
    """
    cost.tokens_seen += sum(map(len, sequences))
    cost.tokens_computed += padded_tokens(sequences)
    cost.flops += forward_flops(model, padded_tokens(sequences), 0)
    vectors: Tensor = model.set_vectors(*_padded(model, sequences))
    return vectors


def computed_together(
    model: nn.Module, units: Sequence[Unit], sequences_of: Callable[[Unit], list[list[int]]], tokens: int
) -> list[list[Unit]]:
    """The units whose sequences `sequence_states` is given together: an encoder's batches, and trees of all others."""
    return (split_into_batches if is_encoder(model) else split_into_trees)(units, sequences_of, tokens)


def is_encoder(model: nn.Module) -> bool:
    """Whether the model has no output layer over a vocabulary, so that all its tokens see each other."""
    return output_layer(model) is None


def _states_read(
    model: nn.Module, sequences: Sequence[list[int]], rows: Sequence[range], *, share: bool
) -> tuple[Sequence[Tensor], int]:
    """The states of each sequence's `rows`, [rows, hidden_size] float32, and how many tokens were computed."""
    if share:
        return _of_a_tree(model, sequences, rows)
    if is_encoder(model):
        return _of_a_batch(model, sequences, rows), padded_tokens(sequences)
    return [_alone(model, *one) for one in zip(sequences, rows, strict=True)], sum(map(len, sequences))


def _of_a_tree(model: nn.Module, sequences: Sequence[list[int]], rows: Sequence[range]) -> tuple[Sequence[Tensor], int]:
    """With the number of nodes that are tokens."""
    device = next(model.parameters()).device
    tree = layout_for(model, sequences)
    hidden = hidden_states(model, TreeAttention(tree, device))
    nodes = [[path[row] for row in own] for path, own in zip(tree.paths, rows, strict=True)]
    read = hidden[torch.tensor([node for path in nodes for node in path], device=device)].float()
    return read.split(list(map(len, nodes))), len(tree) - tree.soft


def _of_a_batch(model: Any, sequences: Sequence[list[int]], rows: Sequence[range]) -> list[Tensor]:
    ids, mask = _padded(model, sequences)
    hidden: Tensor = model(input_ids=ids, attention_mask=mask).last_hidden_state[:, soft_tokens(model) :]
    return [hidden[i, own.start : own.stop].float() for i, own in enumerate(rows)]


def _padded(model: nn.Module, sequences: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask, both [sequences, longest]. The mask hides what fills short sequences up, behind their last token;
    any id does.
    """
    device = next(model.parameters()).device
    lengths = torch.tensor([len(one) for one in sequences], device=device)
    ids = nn.utils.rnn.pad_sequence([torch.tensor(one) for one in sequences], batch_first=True).to(device)
    return ids, (torch.arange(ids.shape[1], device=device) < lengths[:, None]).long()


def _alone(model: Any, sequence: list[int], rows: range) -> Tensor:
    ids = torch.tensor([sequence], device=next(model.parameters()).device)
    made = model(input_ids=ids, output_hidden_states=True, logits_to_keep=1, use_cache=False)
    read: Tensor = made.hidden_states[-1][0, soft_tokens(model) :][rows.start : rows.stop].float()
    return read
