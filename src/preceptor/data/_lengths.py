"""How long the cases are in tokens, which will be cut, and which cannot fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.data._finding import Finding
from preceptor.data._fit import Fitted, FittedPair, TooLong, fit, fit_pair
from preceptor.errors import InputError, Problem
from preceptor.tasks import Example, Split, Task


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of prompt, answer and stop token as they will be trained on, after cutting, and what was cut.

    For test cases the longest answer the model may generate counts instead of the answer.
    """

    shortest: int
    median: int
    p95: int
    longest: int
    total: int
    cases_cut: int
    tokens_cut: int


def measure(
    task: Task, split: Split, examples: Sequence[Example], tokenizer: Any, max_length: int
) -> tuple[Lengths, list[Finding]]:
    """Fit every case as training (or, for `test`, generation) will; say which are cut, cannot fit, or are refused."""
    lengths: list[int] = []
    cut: dict[str, int] = {}
    too_long: dict[str, TooLong] = {}
    refused: dict[str, Problem] = {}
    reserve = task.answer.max_new_tokens if split == "test" else 0
    for example in examples:
        try:
            fitted = _fit_as_used(task, split, example, tokenizer, max_length)
        except TooLong as error:
            too_long[example.id] = error
            continue
        except InputError as error:
            refused[example.id] = error.problems[0]
            continue
        lengths.append(_tokens(fitted, reserve))
        if fitted.cut_tokens:
            cut[example.id] = fitted.cut_tokens
    findings = _say_cut(split, task, cut, len(examples)) + _say_too_long(split, too_long)
    return _summary(lengths, cut), findings + _say_refused(split, refused)


def _fit_as_used(task: Task, split: str, example: Example, tokenizer: Any, max_length: int) -> Fitted | FittedPair:
    if split == "test":
        return fit(task, example, tokenizer, max_length, max_new_tokens=task.answer.max_new_tokens)
    if example.rejected is not None:
        return fit_pair(task, example, tokenizer, max_length, example.target, example.rejected)
    return fit(task, example, tokenizer, max_length, example.target)


def _tokens(fitted: Fitted | FittedPair, reserve: int) -> int:
    encoded = fitted.encoded if isinstance(fitted, Fitted) else fitted.chosen
    return len(encoded.prompt) + max(len(encoded.answer), reserve)


def _summary(lengths: Sequence[int], cut: dict[str, int]) -> Lengths:
    if not lengths:
        return Lengths(0, 0, 0, 0, 0, 0, 0)
    shortest, median, p95, longest = (round(float(q)) for q in np.percentile(lengths, [0, 50, 95, 100]))
    return Lengths(shortest, median, p95, longest, sum(lengths), len(cut), sum(cut.values()))


def _say_cut(split: Split, task: Task, cut: dict[str, int], cases: int) -> list[Finding]:
    if not cut:
        return []
    what = f"field {task.cut} is cut in its middle in {len(cut)} of {cases} cases, {max(cut.values())} tokens at most"
    fix = "Set max_length higher to keep them whole."
    return [Finding("cut", "warning", f"{split} cases", what, fix, tuple(cut), split)]


def _say_too_long(split: Split, too_long: dict[str, TooLong]) -> list[Finding]:
    if not too_long:
        return []
    worst = max(too_long.values(), key=lambda error: error.tokens)
    what = f"cannot fit: up to {worst.tokens} tokens are needed, the limit is {worst.limit}"
    fix = worst.problems[0].fix
    return [Finding("too_long", "fatal", f"{split} cases", what, fix, tuple(too_long), split)]


def _say_refused(split: Split, refused: dict[str, Problem]) -> list[Finding]:
    if not refused:
        return []
    first = next(iter(refused.values()))
    return [Finding("template_refuses", "fatal", f"{split} cases", first.what, first.fix, tuple(refused), split)]
