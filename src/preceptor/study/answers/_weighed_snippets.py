"""How much each snippet of a case counted for a head's answer: its weight, and what is lost without it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from preceptor.engine import Numerics, computed_together, states_of_snippets
from preceptor.models import SNIPPET_ATTENTION, Head, Policy, heads_of
from preceptor.study.cases import Prepared, case_text
from preceptor.study.predictions.answer_context import Snippet
from preceptor.text_pieces import pieces_of


def weighs_snippets(policy: Policy) -> bool:
    """Whether the policy's head weighs snippets."""
    return any(head.pool == SNIPPET_ATTENTION for head in heads_of(policy.model).values())


@torch.no_grad()
def weigh(
    policy: Policy, prepared: Prepared, cases: Sequence[int], numerics: Numerics
) -> tuple[Tensor, dict[int, list[Snippet]]]:
    """The head's outputs for held-out cases, [cases, labels], as `head_outputs` gives them; and by its number how much
    each snippet of a case counted for the label of the highest one.
    """
    policy.model.eval()
    (head,) = heads_of(policy.model).values()
    outputs, weighed = torch.empty(len(cases), head.out_features), dict[int, list[Snippet]]()
    prompts = [prepared.test[i] for i in cases]
    together = computed_together(
        policy.model, range(len(cases)), lambda n: head.pieces(prompts[n]), numerics.tokens_per_tree
    )
    for some in together:
        states = states_of_snippets(policy.model, [prompts[n] for n in some], head)
        outputs[list(some)] = head(torch.stack([head.of_snippets(one) for one in states])).cpu()
        for n, of_case in zip(some, states, strict=True):
            texts = pieces_of(case_text(prepared.task, prepared.shown[cases[n]]))
            weighed[cases[n]] = _snippets(head, of_case, texts)
    return outputs, weighed


def _snippets(head: Head, states: Tensor, texts: Sequence[str]) -> list[Snippet]:
    """states: [snippets, hidden_size]. A snippet alone has no drop: without it there is nothing."""
    weights = head.snippet_weights(states).tolist()
    if len(states) == 1:
        return [Snippet(texts[0], weights[0], None)]
    every = torch.arange(len(states), device=states.device)
    left = torch.stack([head.of_snippets(states)] + [head.of_snippets(states[every != j]) for j in every])
    logprobs = head(left).log_softmax(-1)
    own = logprobs[:, logprobs[0].argmax()]
    drops = (own[0] - own[1:]).tolist()
    return [Snippet(*one) for one in zip(texts, weights, drops, strict=True)]
