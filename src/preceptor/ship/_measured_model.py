"""The measured model, reloaded in this process to compute evidence, also with adapters mis-scaled or left out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from preceptor.engine import generate, score_answers
from preceptor.models import HEAD, Slot, encode_answer, load_policy, slot_title, stop_tokens, use
from preceptor.ship._cause import Cause
from preceptor.ship._in_process import labels_as_measured
from preceptor.ship._replayed import Replayed, stripped
from preceptor.study import ArmOfRun, LabelAnswers

_ROWS = 32


class MeasuredModel:
    """The arm's model with the study's numerics."""

    def __init__(self, arm: ArmOfRun) -> None:
        torch.set_num_threads(arm.numerics.threads)
        self._arm, self._numerics, self._max_new_tokens = arm, arm.numerics, arm.task.answer.max_new_tokens
        self._policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
        self._tokenizer = self._policy.tokenizer

    @property
    def slots(self) -> Mapping[str, Slot]:
        """Its adapters by name; none after full fine-tuning."""
        return {name: slot for name, slot in self._policy.slots.items() if slot.type != HEAD}

    def answers(self, prompts: Sequence[list[int]]) -> list[str]:
        """What it writes (greedy decoding)."""
        return [text for text, _ in self._generate(prompts, stop_tokens(self._tokenizer))]

    def labels(self, prompts: Sequence[list[int]]) -> LabelAnswers:
        """Its labels by the arm's rule or head. Raises ValueError for an arm that has neither."""
        answer = labels_as_measured(self._arm, self._policy)
        if answer is None:
            raise ValueError("the arm did not score labels")
        return answer(prompts)

    def unstopped(self, prompts: Sequence[list[int]]) -> list[tuple[str, str]]:
        """Its texts without a stop token: without and with special tokens."""
        return self._generate(prompts, frozenset())

    def _generate(self, prompts: Sequence[list[int]], stop: frozenset[int]) -> list[tuple[str, str]]:
        texts: dict[int, tuple[str, str]] = {}

        def on_batch(batch: list[int], answers: list[list[int]]) -> None:
            for i, ids in zip(batch, answers, strict=True):
                text, raw = (self._tokenizer.decode(ids, skip_special_tokens=skip) for skip in (True, False))
                texts[i] = text, raw

        generate(self._policy, prompts, max_new_tokens=self._max_new_tokens, stop=stop, rows=_ROWS, on_batch=on_batch)
        return [texts[i] for i in range(len(prompts))]

    def margins(self, prompts: Sequence[list[int]], cases: Sequence[Replayed]) -> dict[int, float]:
        """By case index: log p(measured token) - log p(served token) at the first divergence, in nats."""
        diverged = {i: self._diverging_prefixes(case) for i, case in enumerate(cases)}
        known = {i: both for i, both in diverged.items() if both is not None}
        if not known:
            return {}
        scores, _ = score_answers(self._policy, [prompts[i] for i in known], list(known.values()), self._numerics)
        return {i: measured - served for i, (measured, served) in zip(known, scores, strict=True)}

    def _diverging_prefixes(self, case: Replayed) -> list[list[int]] | None:
        """The tokens of both answers up to the first that differs; None if there is none."""
        measured_ids, served_ids = (self._with_stop_token(text) for text in (case.measured, case.served))
        for end, (x, y) in enumerate(zip(measured_ids, served_ids, strict=False), 1):
            if x != y:
                return [measured_ids[:end], served_ids[:end]]
        return None

    def _with_stop_token(self, text: str) -> list[int]:
        """The tokens of an answer with the stop token, unless it was truncated at `max_new_tokens`."""
        ids = self._ids(stripped(text))
        return ids if len(ids) >= self._max_new_tokens else [*ids, encode_answer(self._tokenizer, "")[-1]]

    def gap(self, prompts: Sequence[list[int]], cases: Sequence[Replayed]) -> float | None:
        """Mean absolute difference of the served tokens' log-probabilities from its own, in nats per token, up to the
        first divergence; None where the server reported none.
        """
        served_logprobs = {i: self._served_logprob(case) for i, case in enumerate(cases)}
        known = {i: one for i, one in served_logprobs.items() if one[0]}
        if not known:
            return None
        candidates = [[ids] for ids, _ in known.values()]
        scores, _ = score_answers(self._policy, [prompts[i] for i in known], candidates, self._numerics)
        difference = sum(abs(ours - theirs) for (ours,), (_, theirs) in zip(scores, known.values(), strict=True))
        return difference / sum(len(ids) for ids, _ in known.values())

    def _served_logprob(self, case: Replayed) -> tuple[list[int], float]:
        """The served tokens with reported log-probabilities, up to the first divergence, and their sum."""
        ids, total, length = [], 0.0, -case.served.find(stripped(case.served))
        for one, (token, logprob) in zip(self._ids(case.served), case.logprobs or (), strict=False):
            text: str = self._tokenizer.decode([one])
            length += len(text)
            diverged = not case.same and length > case.diverges_at
            if text.strip() != token.strip() or (diverged and case.continues):
                break
            ids.append(one)
            total += logprob
            if diverged:
                break
        return ids, total

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    @contextmanager
    def at_strength(self, factors: Mapping[str, float]) -> Iterator[None]:
        """Multiply the scaling of each adapter in `factors` during the block; with 0 it is left out. A head stays."""
        policy = self._policy
        left_out = {name for name, factor in factors.items() if factor == 0}
        scalings = [one.scaling for one in policy.model.modules() if isinstance(getattr(one, "scaling", None), dict)]
        before = [dict(scaling) for scaling in scalings]
        try:
            if left_out == set(policy.slots):
                self._policy = load_policy(policy.source, None, dtype=self._numerics.torch_dtype)
            elif left_out:
                use(policy.model, set(policy.slots) - left_out)
            for scaling in scalings:
                scaling.update({name: scale * (factors.get(name) or 1.0) for name, scale in scaling.items()})
            yield
        finally:
            self._policy = policy
            use(policy.model, policy.slots)
            for scaling, old in zip(scalings, before, strict=True):
                scaling.update(old)


def mistakes(slots: Mapping[str, Slot]) -> Iterator[tuple[Mapping[str, float], Cause]]:
    """How strongly adapters act after common mistakes in loading and merging them, with the cause of each."""
    if not slots:
        return
    yield dict.fromkeys(slots, 0.0), NOT_LOADED
    for name in slots if len(slots) > 1 else ():
        what = f"{slot_title(name)} is not loaded: the answers are those of the arm without it"
        yield {name: 0.0}, Cause("adapter", what, "Load every adapter of the arm together, or serve the merged model")
    for name, slot in slots.items():
        for factor, why in _wrong_scales(slot).items():
            what = f"was merged wrongly: the answers are those it gives at {factor:g} times its strength; {why}"
            yield {name: factor}, Cause("merge", f"the {slot_title(name)} {what}", _MERGE_AGAIN)
    if len(slots) > 1:
        what = "the adapters are loaded on a model that they were merged into, so that each acts twice"
        yield dict.fromkeys(slots, 2.0), Cause("merge", what, _MERGE_AGAIN)


def _wrong_scales(slot: Slot) -> dict[float, str]:
    """Of a LoRA adapter, the factors that mistakes multiply its scale with; not 1."""
    if slot.type != "LORA":
        return {}
    config: Any = slot.peft_config("CAUSAL_LM")
    root = math.sqrt(config.r)
    scale = config.lora_alpha / (root if config.use_rslora else config.r)
    wrong = [
        (2 * scale, "it was merged twice, or is loaded on a model that it was merged into"),
        (1.0, "its scale, alpha / rank, was left out"),
        (config.lora_alpha, "its scale was alpha, not divided by the rank"),
        (config.lora_alpha / root, "its scale was alpha / root of the rank, as for rsLoRA"),
        (config.lora_alpha / config.r, "its scale was alpha / rank, as without rsLoRA"),
    ]
    factors: dict[float, str] = {}
    for one, why in wrong:
        if one != scale:
            factors.setdefault(one / scale, why)
    return factors


_MERGE_AGAIN = "Export the arm again with `preceptor export --to merged`, and serve that, or serve the adapter as it is"
NOT_LOADED = Cause(
    "adapter",
    "the adapter is not loaded: the answers are those of the untouched model",
    "Start the server with the adapter and ask for it by its name, or serve the merged model",
)
