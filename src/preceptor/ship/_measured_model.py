"""The model that was measured, asked again here: what it would have answered, also when it is put together wrongly."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from preceptor.engine import generate, score_answers
from preceptor.models import AdapterSettings, encode_answer, load_policy, stop_tokens
from preceptor.ship._asked import Asked, bare
from preceptor.ship._cause import Cause
from preceptor.study import ArmOfRun

_ROWS = 32


class MeasuredModel:
    """The arm's model in memory, with the numerics of the study."""

    def __init__(self, arm: ArmOfRun) -> None:
        torch.set_num_threads(arm.numerics.threads)
        self._numerics, self._room = arm.numerics, arm.task.answer.max_new_tokens
        self._policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
        self._tokenizer = self._policy.tokenizer
        self._stop = encode_answer(self._tokenizer, "")[-1]

    @property
    def adapter(self) -> AdapterSettings | None:
        """The adapter's settings; None where every weight is its own."""
        return self._policy.adapter

    def answers(self, prompts: Sequence[list[int]]) -> list[str]:
        """What it answers."""
        return [text for text, _ in self._write(prompts, stop_tokens(self._tokenizer))]

    def unstopped(self, prompts: Sequence[list[int]]) -> list[tuple[str, str]]:
        """What it writes when no token stops it, without and with control tokens."""
        return self._write(prompts, frozenset())

    def _write(self, prompts: Sequence[list[int]], stop: frozenset[int]) -> list[tuple[str, str]]:
        written: dict[int, tuple[str, str]] = {}

        def read(batch: list[int], answers: list[list[int]]) -> None:
            for i, ids in zip(batch, answers, strict=True):
                plain, whole = (self._tokenizer.decode(ids, skip_special_tokens=skip) for skip in (True, False))
                written[i] = plain, whole

        generate(self._policy, prompts, max_new_tokens=self._room, stop=stop, rows=_ROWS, on_batch=read)
        return [written[i] for i in range(len(prompts))]

    def margins(self, prompts: Sequence[list[int]], asked: Sequence[Asked]) -> dict[int, float]:
        """By case: how much likelier it finds the measured next token than the served one where they part, in nats."""
        parted = {i: self._parting(case) for i, case in enumerate(asked)}
        known = {i: both for i, both in parted.items() if both is not None}
        if not known:
            return {}
        scores, _ = score_answers(self._policy, [prompts[i] for i in known], list(known.values()), self._numerics)
        return {i: measured - served for i, (measured, served) in zip(known, scores, strict=True)}

    def _parting(self, case: Asked) -> list[list[int]] | None:
        """The tokens of both answers up to the first that differs; None where there is none."""
        ours, theirs = (self._ended(text) for text in (case.measured, case.served))
        for end, (x, y) in enumerate(zip(ours, theirs, strict=False), 1):
            if x != y:
                return [ours[:end], theirs[:end]]
        return None

    def _ended(self, text: str) -> list[int]:
        """The tokens of an answer with the stop token, unless there was no room for one."""
        ids = self._ids(bare(text))
        return ids if len(ids) >= self._room else [*ids, self._stop]

    def gap(self, prompts: Sequence[list[int]], asked: Sequence[Asked]) -> float | None:
        """How far the log-probabilities of the served tokens are from its own, in nats a token; None where none can be
        told. Tokens count up to the one at which the answers part.
        """
        told = {i: self._told(case) for i, case in enumerate(asked)}
        known = {i: one for i, one in told.items() if one[0]}
        if not known:
            return None
        candidates = [[ids] for ids, _ in known.values()]
        scores, _ = score_answers(self._policy, [prompts[i] for i in known], candidates, self._numerics)
        off = sum(abs(ours - theirs) for (ours,), (_, theirs) in zip(scores, known.values(), strict=True))
        return off / sum(len(ids) for ids, _ in known.values())

    def _told(self, case: Asked) -> tuple[list[int], float]:
        """The tokens of a served answer whose log-probabilities were told, and their sum."""
        ids, total, length = [], 0.0, -case.served.find(bare(case.served))
        for one, (token, logprob) in zip(self._ids(case.served), case.logprobs or (), strict=False):
            text: str = self._tokenizer.decode([one])
            length += len(text)
            parted = not case.same and length > case.parts_at
            if text.strip() != token.strip() or (parted and case.goes_on):
                break
            ids.append(one)
            total += logprob
            if parted:
                break
        return ids, total

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    @contextmanager
    def at_strength(self, factor: float) -> Iterator[None]:
        """Its adapter counts `factor` times while the block runs."""
        layers = [
            module for module in self._policy.model.modules() if isinstance(getattr(module, "scaling", None), dict)
        ]
        before = [dict(layer.scaling) for layer in layers]
        try:
            for layer in layers:
                layer.scaling.update({name: scale * factor for name, scale in layer.scaling.items()})
            yield
        finally:
            for layer, scaling in zip(layers, before, strict=True):
                layer.scaling.update(scaling)


def wrong_strengths(adapter: AdapterSettings) -> dict[float, Cause]:
    """By how many times an adapter counts when it is put to its model wrongly, in the ways in which that is done."""
    said = [
        (2.0, "it was merged twice, or is loaded on a model that it was merged into"),
        (adapter.rank / adapter.alpha, "its scale, alpha / rank, was left out"),
        (float(adapter.rank), "its scale was alpha, not divided by the rank"),
        (math.sqrt(adapter.rank), "its scale was alpha / root of the rank, as for rsLoRA"),
    ]
    fix = "Export the arm again with `preceptor export --to merged`, and serve that, or serve the adapter as it is"
    causes: dict[float, Cause] = {0.0: NOT_LOADED}
    for factor, why in said:
        what = f"the adapter was merged wrongly: the answers are those it gives at {factor:g} times its strength; {why}"
        if factor != 1.0:
            causes.setdefault(factor, Cause("merge", what, fix))
    return causes


NOT_LOADED = Cause(
    "adapter",
    "the adapter is not loaded: the answers are those of the untouched model",
    "Start the server with the adapter and ask for it by its name, or serve the merged model",
)
