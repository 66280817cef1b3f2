"""What a policy's answers score while it is trained, against the same computed directly."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import (
    AnswerScore,
    Cost,
    DPOSettings,
    EncodedPair,
    Numerics,
    Sampling,
    SFTSettings,
    Stage,
    answer_logprobs,
    generate,
    run_dpo,
    run_sft,
)
from preceptor.models import Encoded, Policy, stop_tokens

STOP = 2
NUMERICS = Numerics(threads=1)
PROMPTS = [[*range(100, 120), 200 + n, 300] for n in range(6)]
PAIRS = [EncodedPair(p, [10 + n % 2, STOP], [11 - n % 2, STOP]) for n, p in enumerate(PROMPTS)]
SETTINGS = DPOSettings(learning_rate=3e-3, epochs=6, batch_size=3, warmup_steps=0, looks_per_epoch=1, sft_weight=0.0)


def length(number: int, text: str) -> float:
    """The more bytes, the better: what nobody trains for."""
    return len(text.encode()) / 100 + number


def constant(number: int, text: str) -> float:
    return 0.5


def score(rate: Callable[[int, str], float] = length, samples: int = 3) -> AnswerScore:
    return AnswerScore(PROMPTS, 5, rate, NUMERICS, 7, samples)


def greedy(policy: Policy) -> list[str]:
    texts: dict[int, str] = {}

    def keep(numbers: list[int], answers: list[list[int]]) -> None:
        texts.update(zip(numbers, map(policy.tokenizer.decode, answers), strict=True))

    generate(policy, PROMPTS, max_new_tokens=5, stop=stop_tokens(policy.tokenizer), on_batch=keep)
    return [texts[number] for number in range(len(PROMPTS))]


def looks(stage: Stage, name: str) -> dict[int, float]:
    return {int(row["step"]): row[name] for row in stage.history if name in row}


def dpo(policy: Policy, folder: Path, measuring: AnswerScore, **changed: Any) -> Stage:
    arguments: dict[str, Any] = {"pairs": PAIRS, "validation": PAIRS, "settings": SETTINGS, "seed": 3}
    return run_dpo(policy, numerics=NUMERICS, folder=folder, measuring=measuring, **(arguments | changed))


def test_the_score_is_the_mean_over_the_greedy_answers(make_policy: Callable[..., Policy]) -> None:
    policy, cost = make_policy(tuned=1), Cost()
    found = score(samples=0)(policy, Cost())(policy, cost)
    expected = sum(length(n, text) for n, text in enumerate(greedy(policy))) / len(PROMPTS)
    assert found == {"eval_score": pytest.approx(expected)}
    assert cost.flops > 0
    assert cost.seconds == 0


def test_kl_is_that_of_the_same_samples_and_0_before_the_first_step(make_policy: Callable[..., Policy]) -> None:
    before, after = make_policy(tuned=1), make_policy(tuned=2)
    measure = score()(before, Cost())
    drawn: dict[int, list[int]] = {}

    def keep(numbers: list[int], tokens: list[int], _: torch.Tensor) -> tuple[()]:
        for number, token in zip(numbers, tokens, strict=True):
            drawn.setdefault(number, []).append(token)
        return ()

    stop = stop_tokens(before.tokenizer)
    sampling = Sampling(1.0, [f"7 kl {n}" for n in range(3)])
    nobody: Any = lambda *_: None  # noqa: E731
    generate(before, PROMPTS[:3], max_new_tokens=5, stop=stop, sampling=sampling, on_batch=nobody, on_token=keep)
    answers = [Encoded(PROMPTS[n], drawn[n]) for n in range(3)]
    assert all(len(one.answer) == 5 or one.answer[-1] in stop for one in answers), "what ends an answer belongs to it"
    with torch.no_grad():
        sums = [
            sum(float(one.sum()) for one in answer_logprobs(policy.model, answers, share=False))
            for policy in (before, after)
        ]
    assert measure(before, Cost())["eval_kl"] == 0.0
    assert measure(after, Cost())["eval_kl"] == pytest.approx((sums[0] - sums[1]) / 3, rel=1e-4)
    assert abs(sums[0] - sums[1]) > 0.01, "both policies are alike"


def test_it_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(score())) == score()


def worse(number: int, text: str) -> float:
    """The first greedy answers, as `test_score_decides...` finds them, are right; all others are wrong."""
    return float(text == RIGHT[number])


RIGHT: dict[int, str] = {}


def test_the_score_decides_against_the_loss(make_policy: Callable[..., Policy], weights: Any, tmp_path: Path) -> None:
    policy = make_policy(tuned=1)
    RIGHT.update(enumerate(greedy(policy)))
    stage = dpo(policy, tmp_path / "score", score(worse))
    losses, scores = looks(stage, "eval_loss"), looks(stage, "eval_score")
    assert losses.keys() == scores.keys()
    assert losses[12] < losses[0]
    assert scores[12] < scores[0] == 1
    assert stage.kept_step == 0
    assert all(torch.equal(w, weights(make_policy(tuned=1))[name]) for name, w in weights(policy).items())
    by_loss = SETTINGS.model_copy(update={"metric_for_best_model": "loss"})
    other = dpo(make_policy(tuned=1), tmp_path / "loss", score(worse), settings=by_loss)
    assert other.kept_step == min(losses, key=losses.__getitem__) > 0
    assert not looks(other, "eval_score")


def test_between_equal_scores_the_lower_loss_decides(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    stage = dpo(make_policy(tuned=1), tmp_path, score(constant))
    losses = looks(stage, "eval_loss")
    assert set(looks(stage, "eval_score").values()) == {0.5}
    assert stage.kept_step == min(losses, key=losses.__getitem__) > 0


def test_without_validation_pairs_it_looks_by_score_alone(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    stage = dpo(make_policy(tuned=1), tmp_path, score(constant), validation=[])
    assert list(looks(stage, "eval_score")) == [0, 2, 4, 6, 8, 10, 12]
    assert not looks(stage, "eval_loss")
    assert stage.kept_step == 0, "of equals the earliest"


def test_killed_it_ends_with_the_same_weights_and_figures(
    make_policy: Callable[..., Policy], weights: Any, cut_after: Any, killed: type[Exception], tmp_path: Path
) -> None:
    whole, again = make_policy(tuned=1), make_policy(tuned=1)
    stage = dpo(whole, tmp_path / "whole", score(constant))
    with pytest.raises(killed):
        dpo(make_policy(tuned=1), tmp_path / "cut", score(constant), advance=cut_after(5))
    resumed = dpo(again, tmp_path / "cut", score(constant))
    assert all(torch.equal(weights(whole)[name], weight) for name, weight in weights(again).items())
    for name in ("eval_score", "eval_kl", "eval_loss"):
        assert looks(resumed, name) == looks(stage, name)
    assert looks(stage, "eval_kl")[0] == 0
    assert max(map(abs, looks(stage, "eval_kl").values())) > 1e-3
    assert (resumed.cost.flops, resumed.cost.evaluation_flops) == (stage.cost.flops, stage.cost.evaluation_flops)


def test_looks_change_nothing_in_training_and_are_counted_apart(
    make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    looked = dpo(make_policy(tuned=1), tmp_path / "looked", score(constant))
    bare = dpo(make_policy(tuned=1), tmp_path / "bare", score(constant), validation=[], settings=SETTINGS.model_copy(
        update={"metric_for_best_model": "loss"}
    ))  # fmt: skip
    assert looks(looked, "loss") == looks(bare, "loss")
    assert bare.cost.evaluation_flops == 0
    reference = bare.cost.flops / looked.cost.training_flops
    assert 0.8 < reference < 1, "the reference of the validation pairs is all that differs"
    assert looked.cost.evaluation_flops > 0.2 * looked.cost.flops


def test_what_was_delivered_is_said(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    stage = dpo(make_policy(tuned=1), tmp_path, score(constant))
    said, rates = stage.delivered, looks(stage, "learning_rate")
    assert said["steps"] == 12
    assert said["dose"] == pytest.approx(sum(rates.values()))
    assert said["dose"] == pytest.approx(3e-3 * 6.5)
    assert said["kept_dose"] == pytest.approx(sum(rate for step, rate in rates.items() if step <= stage.kept_step))
    assert said["kept_step"] == stage.kept_step
    for name in ("eval_pair_accuracy", "eval_kl", "eval_score"):
        assert said[f"{name}_at_start"] == looks(stage, name)[0]
        assert said[name] == looks(stage, name)[stage.kept_step]


def test_sft_looks_by_score_where_its_settings_say_so(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    cases = [Encoded(pair.prompt, pair.chosen) for pair in PAIRS]
    for metric in ("loss", "score"):
        settings = SFTSettings(learning_rate=3e-3, epochs=2, batch_size=3, metric_for_best_model=metric, patience=9)
        stage = run_sft(
            make_policy(), cases, cases, settings, NUMERICS, tmp_path / metric, seed=3, measuring=score(constant, 0)
        )
        assert len(looks(stage, "eval_score")) == (4 if metric == "score" else 0)
        assert "eval_kl" not in stage.delivered
