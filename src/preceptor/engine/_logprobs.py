"""Log-probabilities of answers given their prompts, with shared prefixes computed once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.engine._cost import Cost, forward_flops
from preceptor.engine._tree import layout
from preceptor.models import Encoded


def answer_logprobs(
    model: nn.Module, sequences: Sequence[Encoded], *, share: bool = True, cost: Cost | None = None
) -> list[Tensor]:
    """Log-probability of every answer token.

    Returns one [answer length] float32 tensor a sequence, in nats, in the order given. With `share` the batch is
    computed as one prefix tree, else one sequence at a time (for models whose attention does not take a tree's mask).
    """
    groups = [list(sequences)] if share else [[sequence] for sequence in sequences]
    return [logprobs for group in groups for logprobs in _one_tree(model, group, cost)]


def _one_tree(model: nn.Module, sequences: list[Encoded], cost: Cost | None) -> list[Tensor]:
    tree = layout([sequence.prompt + sequence.answer for sequence in sequences])
    # The token at path[i] is predicted by the hidden state at path[i - 1]: only those rows meet the vocabulary.
    asked = [path[len(s.prompt) - 1 : -1] for path, s in zip(tree.paths, sequences, strict=True)]
    rows = sorted({node for path in asked for node in path})
    row_of = {node: row for row, node in enumerate(rows)}
    device = next(model.parameters()).device
    logits = model(
        input_ids=torch.tensor([tree.ids], device=device),
        position_ids=torch.tensor([tree.positions], device=device),
        # A single path is plain causal attention, which needs no mask and has a faster kernel.
        attention_mask=None if len(sequences) == 1 else tree.mask(device),
        logits_to_keep=torch.tensor(rows, device=device),
        use_cache=False,
    ).logits[0]
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    if cost is not None:
        cost.tokens_seen += sum(len(path) for path in tree.paths)
        cost.tokens_computed += len(tree)
        cost.flops += forward_flops(model, len(tree), len(rows))
    return [
        logprobs[torch.tensor([row_of[node] for node in nodes], device=device), torch.tensor(s.answer, device=device)]
        for nodes, s in zip(asked, sequences, strict=True)
    ]


@torch.no_grad()
def can_share(model: nn.Module) -> bool:
    """Whether the model computes a small tree as it computes the same sequences one by one.

    False for models with their own mask code or with state, and for windows and chunks of attention, which count in
    tree order instead of depth: those run one sequence at a time.
    """
    whole: Any = model.config
    config = whole.get_text_config()  # where text is one part of a model, its windows are told there
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return False
    if set(getattr(config, "layer_types", None) or ()) - {"full_attention"}:
        return False
    tokens = list(range(1, 9))
    sequences = [Encoded(tokens, [9, 10]), Encoded(tokens, [11]), Encoded(tokens[:4], [12, 13])]
    training = model.training
    model.eval()
    try:
        tree, plain = (answer_logprobs(model, sequences, share=share) for share in (True, False))
    except (TypeError, ValueError, RuntimeError, IndexError):
        return False
    finally:
        model.train(training)
    tolerance = 1e-3 if next(model.parameters()).dtype == torch.float32 else 0.1
    return all(torch.allclose(a, b, atol=tolerance) for a, b in zip(tree, plain, strict=True))
