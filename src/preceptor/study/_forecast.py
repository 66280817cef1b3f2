"""How long a study will take, from a short measurement of this machine before anything is trained."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from preceptor.engine import Numerics, SFTSettings, answer_logprobs, can_share, distinct_prefixes
from preceptor.models import Encoded, ModelSource, Policy, new_policy
from preceptor.preferences import Maker
from preceptor.study._pairs import pair_cases
from preceptor.study._plan import Left
from preceptor.study._prepare import Prepared
from preceptor.study._spec import Study

_PROBE_TOKENS = 512
_DECODE_ROWS = 32
_LOAD_SECONDS = 3.0
"""Loading the model and writing a stage's output, once a stage and once a cell."""
_TFIDF_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds a token in training, seconds a token without gradients, seconds a generated token for 32 rows.

    `shares`: whether the model computes what sequences share once.
    """

    train: float
    forward: float
    decode: float
    shares: bool = True


def measure_speed(study: Study, numerics: Numerics, source: ModelSource, prepared: Prepared) -> Speed:
    """Time one small tree of real cases, forward and backward, and one decoding step."""
    policy = new_policy(source, study.adapter, seed=0, dtype=numerics.torch_dtype)
    batch: list[Encoded] = []
    while _tokens(batch) < _PROBE_TOKENS and len(batch) < len(prepared.train):
        batch.append(prepared.train[len(batch)])
    tokens = _tokens(batch)
    share = can_share(policy.model)
    train = _best_of(2, lambda: torch.cat(answer_logprobs(policy.model, batch, share=share)).sum().backward())
    with torch.no_grad():
        forward = _best_of(2, lambda: answer_logprobs(policy.model, batch, share=share))
        decode = _best_of(3, lambda: _decode_step(policy))
    return Speed(train / tokens, forward / tokens, decode, share)


def forecast(study: Study, left: Sequence[Left], speed: Speed) -> float:
    """About how many seconds what is left takes; SFT may stop earlier. How fast an endpoint answers, nobody knows."""
    total = 0.0
    for one in left:
        total += sum(_stage_seconds(one.prepared, study, arm, speed) for arm in one.stages)
        total += sum(_answer_seconds(one.prepared, study, arm, speed) for arm in one.answers)
    return total


def _stage_seconds(prepared: Prepared, study: Study, arm: str, speed: Speed) -> float:
    """The last stage of an arm, and the pairs it needs."""
    if arm == "sft":
        return _sft_seconds(prepared, prepared.entry.sft or study.sft, speed)
    maker = study.maker_of(arm)
    return (_more_sft_seconds if arm == "sft+sft" else _dpo_seconds)(prepared, study, maker, speed)


def _sft_seconds(prepared: Prepared, settings: SFTSettings, speed: Speed) -> float:
    looks = settings.epochs * settings.looks_per_epoch
    training = settings.epochs * _batched_tokens(prepared.train, settings.batch_size) * speed.train
    return training + looks * _batched_tokens(prepared.validation, 8) * speed.forward + _LOAD_SECONDS


def _dpo_seconds(prepared: Prepared, study: Study, maker: Maker | None, speed: Speed) -> float:
    """Pairs, reference, training and looks; a rejected answer is taken to be as long as the chosen one."""
    tokens = _dpo_tokens(prepared, study, maker)
    making = _making_seconds(prepared, study, maker, speed, tokens.forward_once)
    return making + tokens.forward * speed.forward + tokens.train * speed.train + 2 * _LOAD_SECONDS


def _making_seconds(prepared: Prepared, study: Study, maker: Maker | None, speed: Speed, tokens: int) -> float:
    """What the policy takes to make pairs; how fast a judge answers, nobody knows."""
    if maker in ("published", "near_miss", "votes"):
        return 0.0
    if maker == "hardest_label" or (maker is None and prepared.task.answer.parser == "label"):
        return tokens * speed.forward
    cases = pair_cases(prepared, study.pairs.limit, 0, maker)
    times = study.pairs.samples if maker in ("on_policy", "judge") else 1
    return _generation_seconds(prepared, [case.prompt for case in cases.encoded for _ in range(times)], speed)


def _more_sft_seconds(prepared: Prepared, study: Study, maker: Maker | None, speed: Speed) -> float:
    """As many operations as DPO takes, which are spent in training alone; a step ends with a look or two."""
    tokens = _dpo_tokens(prepared, study, maker)
    looks = 2 * _batched_tokens(prepared.validation, 8) * speed.forward
    forward = tokens.forward_once + tokens.forward
    return forward * speed.forward + tokens.train * speed.train + looks + _LOAD_SECONDS


@dataclass(frozen=True, slots=True)
class _DPOTokens:
    """Tokens of every pair; those of the reference and all looks; those of all epochs of training."""

    forward_once: int
    forward: int
    train: int


def _dpo_tokens(prepared: Prepared, study: Study, maker: Maker | None) -> _DPOTokens:
    settings = prepared.entry.dpo or study.dpo
    cases = pair_cases(prepared, study.pairs.limit, 0, maker)

    def tokens(some: Sequence[Encoded]) -> int:
        return _batched_tokens(some, settings.batch_size) + sum(len(case.answer) for case in some)

    train, validation = tokens(cases.encoded[: cases.trained_on]), tokens(cases.encoded[cases.trained_on :])
    once = train + validation
    looks = settings.epochs * settings.looks_per_epoch
    return _DPOTokens(once, once + looks * validation, settings.epochs * train)


def _answer_seconds(prepared: Prepared, study: Study, arm: str, speed: Speed) -> float:
    if arm == "endpoint":
        return 0.0
    if arm == "tfidf":
        return _TFIDF_SECONDS
    seconds = _generation_seconds(prepared, prepared.test, speed) + _LOAD_SECONDS
    if arm != "base+shots":
        return seconds
    # Examples are read once a tree of prompts; there is room for two or three cases beside them.
    shown = study.shots.count * sum(map(len, prepared.test)) / len(prepared.test)
    return seconds + len(prepared.test) / 3 * min(shown, study.max_length) * speed.forward


def _generation_seconds(prepared: Prepared, prompts: Sequence[list[int]], speed: Speed) -> float:
    # Answers are about as long as those of the training cases, and the longest row of a batch decides.
    longest = max(len(case.answer) for case in prepared.train)
    batches = -(-len(prompts) // (_DECODE_ROWS if speed.shares else 1))
    return distinct_prefixes(prompts) * speed.forward + batches * longest * speed.decode


def _batched_tokens(cases: Sequence[Encoded], batch_size: int) -> int:
    return sum(_tokens(cases[start : start + batch_size]) for start in range(0, len(cases), batch_size))


def _tokens(cases: Sequence[Encoded]) -> int:
    return distinct_prefixes([case.prompt + case.answer for case in cases])


def _decode_step(policy: Policy) -> None:
    ids = torch.zeros((_DECODE_ROWS, 1), dtype=torch.long, device=policy.model.device)
    policy.model(input_ids=ids, logits_to_keep=1)


def _best_of(times: int, work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return best
