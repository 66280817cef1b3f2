"""A stage as an arm needs it: what it comes after, and what must stand before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from preceptor.study.spec.arms import Arm
from preceptor.study.spec.found import find_kind
from preceptor.study.spec.stage_entry import Entries, entry_of, kind_of, named_model, source_of, with_ancestors


@dataclass(frozen=True, slots=True)
class StageRef:
    """A stage and all that it rests on; equal for arms that share it.

    source: who makes what comes out of it, as a maker of pairs. owner: the stages of an arm that ends with it, joined
    by `+`, or the control whose last stage it is. after: the stage before it, whose policy it starts from, unless that
    one makes none. budget: the stage whose compute, with that of every stage between, it spends. view: what it is
    shown of a case; None for the task's prompt. model: the name of its arm's model; None for the study's. toward: the
    stage whose targets it also learns from. per_label: how many cases of each label it has; None for all.
    """

    name: str
    kind: str
    owner: str
    source: str | None = None
    after: "StageRef | None" = None
    budget: "StageRef | None" = None
    view: str | None = None
    model: str | None = None
    toward: "StageRef | None" = None
    per_label: int | None = None

    @property
    def lineage(self) -> tuple["StageRef", ...]:
        """The stages its result comes from, the first of them first, itself last."""
        return (*(self.after.lineage if self.after else ()), self)

    @property
    def required(self) -> tuple["StageRef", ...]:
        """Every stage that must stand before it can be done, in order, itself last."""
        others = (self.after, self.budget, self.toward)
        before = [one for other in others if other for one in other.required]
        return (*dict.fromkeys(before), self)

    @property
    def paid(self) -> tuple["StageRef", ...]:
        """The stages whose cost is its own: those that it comes from, and those that its targets come from."""
        taught = [one for stage in self.lineage if stage.toward for one in stage.toward.paid]
        return tuple(dict.fromkeys([*taught, *self.lineage]))

    @property
    def budget_stages(self) -> tuple["StageRef", ...]:
        """The stages whose compute it spends."""
        own = set(self.lineage)
        return tuple(one for one in self.budget.lineage if one not in own) if self.budget else ()

    @property
    def title(self) -> str:
        """What it is called in messages: `SFT`, or where its kind goes on, `SFT continued`."""
        title = str(find_kind(self.kind).title)
        title = f"{title} continued" if self.budget else title
        title = f"{title} on {self.view}" if self.view else title
        return f"{title}, {self.per_label} a label" if self.per_label else title


def stage_of(arm: Arm, arms: Mapping[str, Arm], stages: Entries, default_source: str | None) -> StageRef | None:
    """The last stage of an arm, with all that it rests on; None for an untouched arm."""
    last: StageRef | None = None
    ref = partial(StageRef, view=arm.view, model=arm.model, per_label=arm.per_label)
    for number, name in enumerate(arm.stages, start=1):
        kind, source, owner = kind_of(name, stages), source_of(name), "+".join(arm.stages[:number])
        for needed in find_kind(kind).needs(name):
            if last is None or last.kind != needed or last.source != (source or last.source):
                last = ref(needed, needed, owner, source or default_source, last)
        makes_pairs = find_kind(kind).makes == "pairs"
        if number == len(arm.stages) and arm.control_of:
            budget = stage_of(arms[arm.control_of], arms, stages, default_source)
            return ref(name, kind, arm.name, None, last, budget)
        made_by = (source or default_source) if makes_pairs else None
        toward = _toward(name, arms, stages, default_source)
        last = ref(name, kind, owner, made_by, last, toward=toward)
    return last


def _toward(name: str, arms: Mapping[str, Arm], stages: Entries, default_source: str | None) -> StageRef | None:
    """The stage whose targets a stage also learns from. It is shown what the arm is that it keeps the states of, and is
    that arm's own, so that both have the same stages.
    """
    entry = entry_of(name, stages)
    if entry is None or entry.toward is None:
        return None
    made_by = with_ancestors([entry.toward.states], stages)
    of = next((arm for arm in arms.values() if arm.stages == made_by[:-1]), None)
    view, model, few = (of.view, of.model, of.per_label) if of else (None, named_model(made_by[0], stages), None)
    whole = Arm.model_construct(name=entry.toward.states, stages=made_by, view=view, model=model, per_label=few)
    return stage_of(whole, arms, stages, default_source)
