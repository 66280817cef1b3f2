from collections.abc import Callable

import pytest
import torch

from preceptor.engine import Likeliest, Numerics, answer_logprobs, likeliest, score_answers
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


def test_of_prompts_that_are_given_up_meanwhile_no_further_tree_is_read(make_policy: Callable[..., Policy]) -> None:
    policy, numerics = make_policy(tuned=1), Numerics(threads=1, tokens_per_tree=64)
    every, cost = score_answers(policy, PROMPTS, CANDIDATES, numerics)
    asked: list[int] = []

    def unwanted(number: int) -> bool:
        asked.append(number)
        return len(asked) > 1 and number != 4

    scores, less = score_answers(policy, PROMPTS, CANDIDATES, numerics, unwanted=unwanted)
    wanted = {asked[0], 4}
    for number, (row, expected) in enumerate(zip(scores, every, strict=True)):
        assert row == (pytest.approx(expected, abs=1e-4) if number in wanted else [0.0] * len(expected))
    assert less.tokens_computed < cost.tokens_computed / 2


def test_the_highest_score_is_chosen_and_is_no_tie() -> None:
    assert likeliest([-3.0, -1.0, -2.0], [5, 6]) == Likeliest(1, tied=False)
    assert likeliest([-1.0], [5, 6]) == Likeliest(0, tied=False)


def test_a_tie_favours_no_place_and_is_drawn_alike_for_the_same_prompt() -> None:
    prompts = [[n, 7] for n in range(600)]
    drawn = [likeliest([-1.0, -2.0, -1.0, -1.0], prompt) for prompt in prompts]
    assert all(one.tied for one in drawn)
    assert drawn == [likeliest([-1.0, -2.0, -1.0, -1.0], prompt) for prompt in prompts]
    counts = [sum(one.index == place for one in drawn) for place in range(4)]
    assert counts[1] == 0
    assert all(150 <= counts[place] <= 250 for place in (0, 2, 3)), counts  # 200 each, standard deviation 12


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_16_bits_do_not_make_ties(dtype: str, make_policy: Callable[..., Policy]) -> None:
    """With logits in 16 bits, a quarter of the labels of the real model were exactly as likely as each other."""
    policy = make_policy(tuned=1, dtype=getattr(torch, dtype))
    candidates = [[[token, 2] for token in range(10, 40)] for _ in PROMPTS]
    scores, _ = score_answers(policy, PROMPTS, candidates, Numerics(threads=1, dtype=dtype))  # type: ignore[arg-type]
    assert all(len(set(row)) == len(row) for row in scores)
