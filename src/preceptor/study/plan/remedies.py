"""What to change in a study that does not fit: every change is planned again, and only those that help are named."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from preceptor.models import AdapterSettings
from preceptor.study.plan.machine import GIB, Machine
from preceptor.study.plan.requirements import Planned, plan_study, read_planned
from preceptor.study.spec.study import Study

_FEWEST_TOKENS = 256
_DEVICES = (2, 4, 8)

Change = tuple[str, Planned, Machine]
"""What is changed, in words, and what is then planned."""


def remedies(planned: Planned, machine: Machine) -> list[str]:
    """Changes of which each alone makes the study fit; else how far all of them together come."""
    found = [f"{words} ({peak / GIB:.1f} GiB)" for words, peak in _that_fit(planned, machine)]
    return found or [_all_at_once(planned, machine)]


def _that_fit(planned: Planned, machine: Machine) -> Iterator[tuple[str, float]]:
    for kind in (_fewer_tokens, _shorter, _other_weights, _more_devices):
        for words, changed, on in kind(planned, machine):
            peak = plan_study(changed, on, timed=False).peak
            if peak <= on.room:
                yield words, peak
                break


def _all_at_once(planned: Planned, machine: Machine) -> str:
    done = []
    for kind in (_other_weights, _shorter, _more_devices):
        if changes := list(kind(planned, machine)):
            words, planned, machine = changes[-1]
            done.append(words)
    peak = plan_study(planned, machine, timed=False).peak
    together = f"{', '.join(done)} together" if done else "nothing that could be set"
    if peak <= machine.room:
        return f"{together} ({peak / GIB:.1f} GiB)"
    return f"a smaller model, or devices with more memory: even with {together} it needs {peak / GIB:.1f} GiB"


def _fewer_tokens(planned: Planned, machine: Machine) -> Iterator[Change]:
    """Smaller trees; a case, or a pair, that is longer is still one tree."""
    tokens = planned.study.numerics.tokens_per_tree // 2
    while tokens >= _FEWEST_TOKENS:
        numerics = planned.study.numerics.model_copy(update={"tokens_per_tree": tokens})
        yield f"numerics: tokens_per_tree: {tokens}", _with(planned, numerics=numerics), machine
        tokens //= 2


def _shorter(planned: Planned, machine: Machine) -> Iterator[Change]:
    """Shorter cases, in trees of one case each."""
    longest = planned.study.max_length // 2
    while longest >= _FEWEST_TOKENS:
        numerics = planned.study.numerics.model_copy(
            update={"tokens_per_tree": min(longest, planned.study.numerics.tokens_per_tree)}
        )
        study = planned.study.model_copy(update={"max_length": longest, "numerics": numerics})
        words = f"max_length: {longest} with as many tokens_per_tree, which cuts longer cases"
        yield words, read_planned(study, planned.base_folder), machine
        longest //= 2


def _other_weights(planned: Planned, machine: Machine) -> Iterator[Change]:
    """An adapter, sixteen bits, four bits."""
    study = planned.study
    if study.adapter is None:
        yield "adapter: {rank: 16} in place of none", _with(planned, adapter=AdapterSettings()), machine
        return
    if study.numerics.dtype == "float32":
        numerics = study.numerics.model_copy(update={"dtype": "bfloat16"})
        yield "numerics: dtype: bfloat16", _with(planned, numerics=numerics), machine
    if not study.load_in_4bit:
        packed = _with(planned, load_in_4bit=True)
        yield "load_in_4bit: true", replace(packed, source=planned.source.in_4bit()), machine


def _more_devices(planned: Planned, machine: Machine) -> Iterator[Change]:
    for devices in _DEVICES:
        if machine.tflops is not None and devices > machine.devices:
            yield f"{devices} such devices", planned, replace(machine, devices=devices)


def _with(planned: Planned, **changes: Any) -> Planned:
    study: Study = planned.study.model_copy(update=changes)
    return replace(planned, study=study)
