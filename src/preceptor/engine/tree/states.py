"""Hidden states of whole sequences: what a head reads."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.engine.cost import Cost, forward_flops
from preceptor.engine.output_layer import output_layer
from preceptor.engine.parallel.shard import in_forward
from preceptor.engine.tree.attention import TreeAttention
from preceptor.engine.tree.layout import layout
from preceptor.engine.tree.logprobs import hidden_states
from preceptor.models import soft_tokens


def sequence_states(
    model: nn.Module, sequences: Sequence[list[int]], *, share: bool, cost: Cost | None = None
) -> Tensor:
    """The last layer's hidden state that stands for each sequence: [sequences, hidden_size], float32.

    Of a causal model it is the last token's, which has seen all others; of an encoder the first token's (Devlin et al.
    2019, section 3). With `share` sequences are computed as one prefix tree, which an encoder cannot be.
    """
    device = next(model.parameters()).device
    if share:
        tree = layout(sequences)
        ends = torch.tensor([path[-1] for path in tree.paths], device=device)
        states = in_forward(model, lambda: [hidden_states(model, TreeAttention(tree, device))[ends].float()])[0]
        computed = len(tree)
    else:
        states = torch.stack([_alone(model, one) for one in sequences])
        computed = sum(map(len, sequences))
    if cost is not None:
        cost.tokens_seen += sum(map(len, sequences))
        cost.tokens_computed += computed
        cost.flops += forward_flops(model, computed, 0, head_rows=len(sequences))
    return states


def is_encoder(model: nn.Module) -> bool:
    """Whether the model has no output layer over a vocabulary, so that all its tokens see each other."""
    return output_layer(model) is None


def _alone(model: Any, sequence: list[int]) -> Tensor:
    ids = torch.tensor([sequence], device=next(model.parameters()).device)
    encoder = is_encoder(model)
    only_states = {} if encoder else {"logits_to_keep": 1, "use_cache": False}
    hidden: Tensor = model(input_ids=ids, output_hidden_states=True, **only_states).hidden_states[-1]
    return hidden[0, soft_tokens(model) if encoder else -1].float()
