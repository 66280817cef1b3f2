"""Log-probabilities of answers given their prompts, with shared prefixes computed once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.engine.cost import Cost, forward_flops
from preceptor.engine.output_layer import float32_head
from preceptor.engine.parallel.shard import in_forward
from preceptor.engine.tree.attention import TreeAttention, tree_attention
from preceptor.engine.tree.head import token_logprobs
from preceptor.engine.tree.layout import Tree
from preceptor.engine.tree.vectors import inputs_of, layout_for, tree_inputs
from preceptor.models import Encoded, soft_tokens


def answer_logprobs(
    model: nn.Module,
    sequences: Sequence[Encoded],
    *,
    share: bool = True,
    cost: Cost | None = None,
    vectors: Tensor | None = None,
) -> list[Tensor]:
    """Log-probability of every answer token.

    Returns one [answer length] float32 tensor a sequence, in nats, in the order given. With `share` the batch is
    computed as one prefix tree, else one sequence at a time by the model's own code (see `shares_prefixes`).

    vectors: [K, hidden_size], embeddings that stand in prompts wherever an id is -1 - j, for the j-th of them, and get
    gradients. Sequences that begin alike share them as they share tokens.
    """
    with float32_head(model):
        if share:
            return in_forward(model, lambda: _one_tree(model, sequences, cost, vectors))
        return [_alone(model, sequence, cost, vectors) for sequence in sequences]


def dummy_loss(model: nn.Module) -> Tensor:
    """0, from a forward pass on one token: a rank without a tree takes part in the others' collectives with it."""
    (logprob,) = answer_logprobs(model, [Encoded([0], [0])])
    return logprob.sum() * 0.0


def predicting_nodes(tree: Tree, sequences: Sequence[Encoded]) -> list[list[int]]:
    """For each sequence of a tree the nodes whose hidden states predict its answer: path[i - 1] for the token at
    path[i]. Only those are multiplied with the output layer.
    """
    return [path[len(one.prompt) - 1 : -1] for path, one in zip(tree.paths, sequences, strict=True)]


def _one_tree(
    model: nn.Module, sequences: Sequence[Encoded], cost: Cost | None, vectors: Tensor | None
) -> list[Tensor]:
    tree = layout_for(model, [one.prompt + one.answer for one in sequences])
    predicting = predicting_nodes(tree, sequences)
    nodes = sorted({node for path in predicting for node in path})
    row_of = {node: row for row, node in enumerate(nodes)}
    device = next(model.parameters()).device
    causal, head = causal_and_head(model)
    hidden = hidden_states(model, TreeAttention(tree, device), vectors)
    logprobs = token_logprobs(
        hidden[torch.tensor(nodes, device=device)],
        head,
        torch.tensor([row_of[node] for path in predicting for node in path], device=device),
        torch.tensor([token for s in sequences for token in s.answer], device=device),
        logit_softcap(causal),
    )
    _count(cost, model, sum(map(len, tree.paths)), len(tree) - tree.soft, len(nodes))
    return list(logprobs.split([len(s.answer) for s in sequences]))


def hidden_states(model: nn.Module, attention: TreeAttention, vectors: Tensor | None = None) -> Tensor:
    """The last hidden state of every node of the tree, which `layout_for` the model made: [T, hidden_size]."""
    with tree_attention(model, attention):
        given = tree_inputs(model, attention.tree, vectors)
        hidden: Tensor = _causal(model).base_model(**given, use_cache=False).last_hidden_state
    return hidden[0]


def _alone(model: nn.Module, sequence: Encoded, cost: Cost | None, vectors: Tensor | None) -> Tensor:
    device = next(model.parameters()).device
    ids = torch.tensor(sequence.prompt + sequence.answer, device=device)
    answer = torch.tensor(sequence.answer, device=device)
    first = soft_tokens(model) + len(sequence.prompt) - 1
    rows = torch.arange(first, first + len(answer), device=device)
    logits = model(**inputs_of(model, ids, vectors), logits_to_keep=rows, use_cache=False).logits[0]
    _count(cost, model, len(ids), len(ids), len(answer))
    logprobs: Tensor = logits.float().log_softmax(-1)
    return logprobs.gather(-1, answer[:, None])[:, 0]


def causal_and_head(model: nn.Module) -> tuple[Any, nn.Linear]:
    """The causal model under peft's wrapping, and its output layer. Raises TypeError for an output layer of its own."""
    causal = _causal(model)
    head = causal.get_output_embeddings()
    if type(head) is not nn.Linear:
        raise TypeError(f"the output layer is a {type(head).__name__}, not a plain linear layer")
    return causal, head


def _causal(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "peft_config") else model


def logit_softcap(causal: Any) -> float | None:
    """The bend of Gemma's logits; None for models that have none."""
    softcap: float | None = getattr(causal.config.get_text_config(), "final_logit_softcapping", None)
    return softcap


def _count(cost: Cost | None, model: nn.Module, seen: int, computed: int, logit_rows: int) -> None:
    if cost is not None:
        cost.tokens_seen += seen
        cost.tokens_computed += computed
        cost.flops += forward_flops(model, computed, logit_rows, fronts=1)
