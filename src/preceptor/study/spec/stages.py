"""A stage as an arm needs it: what it comes after, what it needs before it, and the settings it has on a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from preceptor.study.spec.arms import Arm, Name, kind_of, source_of
from preceptor.study.spec.found import find_kind


class StageEntry(BaseModel):
    """A stage that the study file names: its kind, what it comes after, and settings of its kind."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str
    after: Name | None = None
    """The stage whose policy it starts from; by default the one before it in its arm."""
    compute_of: Name | None = None
    """It goes on for the floating-point operations that this arm takes behind the stage it comes after."""

    @property
    def settings(self) -> dict[str, Any]:
        """The kind's settings that stand here."""
        return dict(self.model_extra or {})


@dataclass(frozen=True, slots=True)
class StageRef:
    """A stage and all that it rests on; equal for arms that share it.

    source: who makes what it learns from, as a maker of pairs. owner: the stages of an arm that ends with it, joined by
    `+`. after: the stage before it, whose policy it starts from unless that one makes none. budget: the stage whose
    compute, with that of every stage between, it spends.
    """

    name: str
    kind: str
    owner: str
    source: str | None = None
    after: "StageRef | None" = None
    budget: "StageRef | None" = None

    @property
    def lineage(self) -> tuple["StageRef", ...]:
        """The stages its result comes from, the first of them first, itself last."""
        return (*(self.after.lineage if self.after else ()), self)

    @property
    def required(self) -> tuple["StageRef", ...]:
        """Every stage that must stand before it can be done, in order, itself last."""
        before = [*(self.after.required if self.after else ()), *(self.budget.required if self.budget else ())]
        return (*dict.fromkeys(before), self)

    @property
    def budget_stages(self) -> tuple["StageRef", ...]:
        """The stages whose compute it spends."""
        own = set(self.lineage)
        return tuple(one for one in self.budget.lineage if one not in own) if self.budget else ()

    @property
    def title(self) -> str:
        """What it is called in messages: `SFT`, or where its kind goes on, `SFT continued`."""
        title = str(find_kind(self.kind).title)
        return f"{title} continued" if self.budget else title


def stage_of(
    arm: Arm, arms: Mapping[str, Arm], stages: Mapping[str, StageEntry], default_source: str | None
) -> StageRef | None:
    """The last stage of an arm, with all that it rests on; None for an untouched arm."""
    kinds = {name: entry.kind for name, entry in stages.items()}
    last: StageRef | None = None
    owner: list[str] = []
    for number, name in enumerate(arm.stages, start=1):
        owner.append(name)
        kind, source, path = kind_of(name, kinds), source_of(name) or default_source, _owner(owner)
        entry = stages.get(name)
        for needed in find_kind(kind).needs(name):
            last = StageRef(needed, needed, path, source, last)
        compute_of = entry.compute_of if entry else None
        compute_of = compute_of or (arm.control_of if number == len(arm.stages) else None)
        budget = stage_of(arms[compute_of], arms, stages, default_source) if compute_of else None
        last = StageRef(name, kind, path, None, last, budget)
    return last


def _owner(stages: list[str]) -> str:
    """The name that an arm with these stages parses from; a source is that of the whole arm."""
    return "+".join(stages)
