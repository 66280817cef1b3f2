from collections.abc import Callable

import pytest
import torch

from preceptor.engine import Numerics, answer_logprobs, score_answers
from preceptor.models import Encoded, Policy

PROMPTS = [[*range(100, 150), *range(200 + n, 205 + n)] for n in range(7)]
CANDIDATES = [[[10, 2], [11, 12, 2], [10, 12, 2]][: 1 + n % 3] for n in range(7)]


@pytest.mark.parametrize("tokens_per_tree", [64, 4096])
def test_a_score_is_the_sum_of_its_answers_log_probabilities(
    tokens_per_tree: int, make_policy: Callable[..., Policy]
) -> None:
    policy = make_policy(tuned=1)
    done: list[int] = []
    scores, cost = score_answers(
        policy, PROMPTS, CANDIDATES, Numerics(threads=1, tokens_per_tree=tokens_per_tree), done.append
    )
    assert [len(row) for row in scores] == [len(row) for row in CANDIDATES]
    for prompt, answers, row in zip(PROMPTS, CANDIDATES, scores, strict=True):
        with torch.no_grad():
            alone = [answer_logprobs(policy.model, [Encoded(prompt, one)])[0].sum().item() for one in answers]
        assert row == pytest.approx(alone, abs=1e-4)
    assert sum(done) == len(PROMPTS)
    assert (len(done) > 1) == (tokens_per_tree == 64)
    assert cost.tokens_seen == sum(len(p) + len(a) for p, row in zip(PROMPTS, CANDIDATES, strict=True) for a in row)
    assert cost.tokens_computed < cost.tokens_seen
