"""How likely a policy finds each of several answers to a prompt."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from preceptor.engine.cost import Cost, timed
from preceptor.engine.output_layer import float32_head
from preceptor.engine.settings import Numerics
from preceptor.engine.tree.batches import split_into_trees
from preceptor.engine.tree.logprobs import answer_logprobs
from preceptor.engine.tree.sequence_checks import check_sequences
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.models import Encoded, Policy
from preceptor.progress import Advance, quiet


@dataclass(frozen=True, slots=True)
class Likeliest:
    """The place of the highest score, and whether another candidate has the same one."""

    index: int
    tied: bool


def likeliest(scores: Sequence[float], prompt: Sequence[int]) -> Likeliest:
    """The highest of a prompt's scores.

    Between equal ones chance decides, drawn from the prompt's token ids: no candidate is favoured for its place, and
    the same prompt gets the same answer again.
    """
    highest = max(scores)
    best = [index for index, score in enumerate(scores) if score == highest]
    drawn = random.Random(" ".join(map(str, prompt))).choice(best) if len(best) > 1 else best[0]
    return Likeliest(drawn, len(best) > 1)


def score_answers(
    policy: Policy,
    prompts: Sequence[list[int]],
    candidates: Sequence[Sequence[list[int]]],
    numerics: Numerics,
    advance: Advance = quiet,
    unwanted: Callable[[int], bool] | None = None,
) -> tuple[list[list[float]], Cost]:
    """Summed log-probability, in nats, of each prompt's candidate answers; all candidates share their prompt's tree.

    candidates[i] are the answers to prompts[i], each ending with the stop token. Returns the scores in the same shape.
    Before each tree, `unwanted` is asked about the prompts in it; the scores of those that are left out are 0.
    """
    every = [Encoded(prompt, list(a)) for prompt, answers in zip(prompts, candidates, strict=True) for a in answers]
    check_sequences(every, policy.model)
    share = shares_prefixes(policy)
    policy.model.eval()

    def sequences(i: int) -> list[list[int]]:
        return [prompts[i] + answer for answer in candidates[i]]

    scores = [[0.0] * len(answers) for answers in candidates]
    with timed() as cost, float32_head(policy.model), torch.no_grad():
        for tree in split_into_trees(range(len(prompts)), sequences, numerics.tokens_per_tree):
            asked = [i for i in tree if not (unwanted and unwanted(i))]
            if not asked:
                continue
            encoded = [Encoded(prompts[i], list(answer)) for i in asked for answer in candidates[i]]
            logprobs = iter(answer_logprobs(policy.model, encoded, share=share, cost=cost))
            for i in asked:
                scores[i] = [float(next(logprobs).sum()) for _ in candidates[i]]
            advance(len(tree))
    return scores, cost
