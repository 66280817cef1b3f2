"""The measured model, reloaded in this process to compute evidence, also with its adapter mis-scaled."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from preceptor.engine import generate, score_answers
from preceptor.models import DEFAULT, AdapterSettings, encode_answer, load_policy, stop_tokens
from preceptor.ship._cause import Cause
from preceptor.ship._replayed import Replayed, stripped
from preceptor.study import ArmOfRun

_ROWS = 32


class MeasuredModel:
    """The arm's model with the study's numerics."""

    def __init__(self, arm: ArmOfRun) -> None:
        torch.set_num_threads(arm.numerics.threads)
        self._numerics, self._max_new_tokens = arm.numerics, arm.task.answer.max_new_tokens
        self._policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
        self._tokenizer = self._policy.tokenizer
        self._stop = encode_answer(self._tokenizer, "")[-1]

    @property
    def adapter(self) -> AdapterSettings | None:
        """The settings of a study's `adapter`; None after full fine-tuning and for slots of the study's own."""
        slot = self._policy.slots.get(DEFAULT)
        return slot if isinstance(slot, AdapterSettings) else None

    def answers(self, prompts: Sequence[list[int]]) -> list[str]:
        """Its answers (greedy decoding)."""
        return [text for text, _ in self._generate(prompts, stop_tokens(self._tokenizer))]

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
        return ids if len(ids) >= self._max_new_tokens else [*ids, self._stop]

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
    def scaled_adapter(self, factor: float) -> Iterator[None]:
        """Multiply the adapter's scaling by `factor` during the block."""
        layers = [
            module for module in self._policy.model.modules() if isinstance(getattr(module, "scaling", None), dict)
        ]
        scalings = [dict(layer.scaling) for layer in layers]
        try:
            for layer in layers:
                layer.scaling.update({name: scale * factor for name, scale in layer.scaling.items()})
            yield
        finally:
            for layer, scaling in zip(layers, scalings, strict=True):
                layer.scaling.update(scaling)


def wrong_scales(adapter: AdapterSettings) -> dict[float, Cause]:
    """Scale factors that common merging mistakes give an adapter, with the cause of each."""
    mistakes = [
        (2.0, "it was merged twice, or is loaded on a model that it was merged into"),
        (adapter.rank / adapter.alpha, "its scale, alpha / rank, was left out"),
        (float(adapter.rank), "its scale was alpha, not divided by the rank"),
        (math.sqrt(adapter.rank), "its scale was alpha / root of the rank, as for rsLoRA"),
    ]
    fix = "Export the arm again with `preceptor export --to merged`, and serve that, or serve the adapter as it is"
    causes: dict[float, Cause] = {0.0: NOT_LOADED}
    for factor, why in mistakes:
        what = f"the adapter was merged wrongly: the answers are those it gives at {factor:g} times its strength; {why}"
        if factor != 1.0:
            causes.setdefault(factor, Cause("merge", what, fix))
    return causes


NOT_LOADED = Cause(
    "adapter",
    "the adapter is not loaded: the answers are those of the untouched model",
    "Start the server with the adapter and ask for it by its name, or serve the merged model",
)
