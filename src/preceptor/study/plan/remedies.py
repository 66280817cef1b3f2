"""What to change in a study that does not fit: every change is planned again, and only those that help are named."""

from dataclasses import replace
from typing import Any

from preceptor.models import AdapterSettings
from preceptor.study.plan.machine import GIB, Machine
from preceptor.study.plan.requirements import Planned, plan_study, read_planned

_FEWEST_TOKENS = 256

Change = tuple[str, dict[str, Any]]
"""In words, and as settings of the study, of its numerics, or `devices`."""


def remedies(planned: Planned, machine: Machine) -> list[str]:
    """Changes of which each alone makes the study fit; else how far the last of every kind come together."""
    kinds = [kind for kind in _changes(planned, machine) if kind]
    found = []
    for kind in kinds:
        peaks = ((words, _peak(planned, machine, settings)) for words, settings in kind)
        found += [f"{words} ({peak / GIB:.1f} GiB)" for words, peak in peaks if peak <= machine.room][:1]
    if found:
        return found
    together = f"{', '.join(kind[-1][0] for kind in kinds)} together" if kinds else "nothing that could be set"
    peak = _peak(planned, machine, {name: value for kind in kinds for name, value in kind[-1][1].items()})
    if peak <= machine.room:
        return [f"{together} ({peak / GIB:.1f} GiB)"]
    return [f"a smaller model, or devices with more memory: even with {together} it needs {peak / GIB:.1f} GiB"]


def _changes(planned: Planned, machine: Machine) -> list[list[Change]]:
    """Of each kind, those that change least first: trees, weights, cases in trees of one each, devices."""
    study, numerics = planned.study, planned.study.numerics
    trees = [(f"numerics: tokens_per_tree: {n}", {"tokens_per_tree": n}) for n in _halves(numerics.tokens_per_tree)]
    shorter = [
        (
            f"max_length: {n}, which cuts longer cases",
            {"max_length": n, "tokens_per_tree": min(n, numerics.tokens_per_tree)},
        )
        for n in _halves(study.max_length)
    ]
    weights: list[Change] = []
    if study.adapter is None:
        weights = [("adapter: {rank: 16} in place of none", {"adapter": AdapterSettings()})]
    elif numerics.dtype == "float32":
        weights = [("numerics: dtype: bfloat16", {"dtype": "bfloat16"})]
    if study.adapter and not study.load_in_4bit:
        weights.append(("load_in_4bit: true", {"load_in_4bit": True}))
    more = [(f"{n} such devices", {"devices": n}) for n in (2, 4, 8) if machine.tflops and n > machine.devices]
    return [trees, weights, shorter, more]


def _halves(tokens: int) -> list[int]:
    return [tokens >> n for n in range(1, 20) if tokens >> n >= _FEWEST_TOKENS]


def _peak(planned: Planned, machine: Machine, settings: dict[str, Any]) -> float:
    """Bytes that the study needs with these settings in place of its own."""
    numerics = planned.study.numerics
    of_numerics = {name: value for name, value in settings.items() if name in type(numerics).model_fields}
    others = {name: value for name, value in settings.items() if name not in of_numerics and name != "devices"}
    study = planned.study.model_copy(update={**others, "numerics": numerics.model_copy(update=of_numerics)})
    source = planned.source.in_4bit() if study.load_in_4bit else planned.source
    changed = (
        read_planned(study, planned.base_folder)
        if "max_length" in others
        else replace(planned, study=study, source=source)
    )
    return plan_study(changed, replace(machine, devices=settings.get("devices", machine.devices)), timed=False).peak
