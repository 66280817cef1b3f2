"""A finished stage, and what its ledger records: cost, pairs, and how training went."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.engine import Cost
from preceptor.study.run.reading import reading
from preceptor.study.spec.found import find_kind

LEDGER = "ledger.json"


@dataclass(frozen=True, slots=True)
class StageOutput:
    """A finished stage: its key, its folder, and the folder of the policy that comes out of it, or that it kept."""

    kind: str
    key: str
    folder: Path
    policy: Path

    @property
    def ledger(self) -> dict[str, Any]:
        """What the stage cost, logged and left out. Raises `InputError` when the file is damaged."""
        with reading(self.folder / LEDGER):
            ledger: dict[str, Any] = json.loads((self.folder / LEDGER).read_text(encoding="utf-8"))
            Cost() + Cost(**ledger["cost"])  # raises when one of them is no number
            if ledger["kind"] != self.kind:
                raise ValueError("the ledger of another kind of stage")
        return ledger

    @property
    def cost(self) -> Cost:
        """What the stage cost."""
        return Cost(**self.ledger["cost"])


def pair_counts(stages: Sequence[StageOutput]) -> dict[str, int]:
    """How many pairs each maker made, and how many cases gave none or none that fits; empty for arms without pairs."""
    counts: dict[str, int] = {}
    for stage in stages:
        ledger = stage.ledger
        with reading(stage.folder / LEDGER):
            if "without_pair" in ledger:
                counts |= ledger["pairs"] | {"without_pair": ledger["without_pair"]}
            if "pairs_too_long" in ledger:
                counts |= {"too_long": ledger["pairs_too_long"]}
    return counts


def pair_findings(stages: Sequence[StageOutput]) -> dict[str, Any] | None:
    """What was found in the pairs, and the share of them that the policy ordered rightly before it learned from them.

    None for arms without pairs, and for pairs that were made before anyone looked at them.
    """
    found: dict[str, Any] | None = None
    for stage in stages:
        ledger = stage.ledger
        with reading(stage.folder / LEDGER):
            if "findings" in ledger:
                found = dict(ledger["findings"])
            elif found is not None and "ordered_rightly" in ledger:
                found["ordered_rightly"] = ledger["ordered_rightly"]
    return found


def sense_findings(stages: Sequence[StageOutput]) -> dict[str, Any] | None:
    """What the last stage that learned senses found; None where none did."""
    learned = [one for one in stages if "sense_figures" in one.ledger]
    if not learned:
        return None
    with reading(learned[-1].folder / LEDGER):
        return dict(learned[-1].ledger["sense_figures"])


def learning(stages: Sequence[StageOutput]) -> dict[str, dict[str, int]]:
    """How many numbers each slot trained, by the kind of stage; of a kind that goes on, its last stage's."""
    found: dict[str, dict[str, int]] = {}
    for stage in stages:
        ledger = stage.ledger
        with reading(stage.folder / LEDGER):
            if "learning" in ledger:
                found[stage.kind] = {str(slot): int(count) for slot, count in ledger["learning"].items()}
    return found


def delivered(stages: Sequence[StageOutput]) -> dict[str, float] | None:
    """How much training the last stage was, and what it came to (see `Stage.delivered`); None where nobody noted it."""
    if not stages:
        return None
    ledger = stages[-1].ledger
    with reading(stages[-1].folder / LEDGER):
        noted = ledger.get("delivered")
        return None if noted is None else {str(name): value for name, value in noted.items()}


Curve = list[tuple[int, float]]
"""(step, figure) by optimizer step."""


def curves(stages: Sequence[StageOutput]) -> dict[str, dict[str, Curve]]:
    """What each kind of training logged, by step. Where a kind goes on, its steps are counted on from its first."""
    found: dict[str, dict[str, Curve]] = {}
    for stage in stages:
        ledger = stage.ledger
        with reading(stage.folder / LEDGER):
            before = max((step for curve in found.get(stage.kind, {}).values() for step, _ in curve), default=0)
            for name in find_kind(stage.kind).curves:
                curve = [(before + int(row["step"]), float(row[name])) for row in ledger["history"] if name in row]
                found.setdefault(stage.kind, {}).setdefault(name, []).extend(curve)
    return found
