"""The facts of one suspected pulmonary embolism, and the YEARS rule that decides them.

Rule: van der Hulle et al., Lancet 2017;390:289-297 (plain YEARS, adults, not pregnant). Patients it was not made for:
therapeutic anticoagulation begun 24 hours or more before, pregnancy, life expectancy under three months, age under 18;
like common calculators, haemodynamic instability is kept out as well.
"""

from dataclasses import dataclass
from typing import Literal

EXCLUDE, MEASURE, IMAGE, OUTSIDE = "exclude", "D-dimer", "CT angiography", "rule does not apply"
ANSWERS = (EXCLUDE, MEASURE, IMAGE, OUTSIDE)

CUTOFF_NO_ITEM, CUTOFF_ITEM = 1000, 500
"""D-dimer in ng/mL FEU; below the cut-off, pulmonary embolism is excluded."""
ADULT = 18
ANTICOAGULATED_HOURS = 24
LOWEST_SYSTOLIC = 90
"""mmHg; below this the patient is unstable."""

Unit = Literal["ng/mL", "µg/L", "µg/mL", "mg/L"]
PER_UNIT: dict[Unit, int] = {"ng/mL": 1, "µg/L": 1, "µg/mL": 1000, "mg/L": 1000}
"""ng/mL in one of each unit."""

Sex = Literal["female", "male"]
Pregnancy = Literal["pregnant", "not pregnant", "gave birth"]


@dataclass(frozen=True, slots=True)
class Anticoagulant:
    """A running anticoagulant. `hours`: since its first dose."""

    name: str
    therapeutic: bool
    hours: int


@dataclass(frozen=True, slots=True)
class Facts:
    """One patient. `d_dimer` in ng/mL FEU, None when not measured; `unit` is the one the laboratory reports in."""

    age: int
    sex: Sex
    leg_signs: bool
    haemoptysis: bool
    embolism_likeliest: bool
    d_dimer: int | None
    unit: Unit
    systolic: int
    anticoagulant: Anticoagulant | None = None
    pregnancy: Pregnancy | None = None
    months_to_live: int | None = None


def reason_outside(facts: Facts) -> str | None:
    """Why the rule does not apply, in a few words; None when it does."""
    drug = facts.anticoagulant
    if facts.age < ADULT:
        return "under 18"
    if facts.pregnancy == "pregnant":
        return "pregnant"
    if facts.systolic < LOWEST_SYSTOLIC:
        return "unstable"
    if drug is not None and drug.therapeutic and drug.hours >= ANTICOAGULATED_HOURS:
        return "anticoagulated"
    if facts.months_to_live is not None and facts.months_to_live < 3:
        return "life expectancy under 3 months"
    return None


def items(facts: Facts) -> list[str]:
    """The YEARS items that are present, in the order of the paper."""
    named = {
        "signs of DVT": facts.leg_signs,
        "haemoptysis": facts.haemoptysis,
        "PE most likely": facts.embolism_likeliest,
    }
    return [name for name, present in named.items() if present]


def cutoff(facts: Facts) -> int:
    """The D-dimer cut-off in ng/mL FEU: 1000 without an item, 500 with one or more."""
    return CUTOFF_ITEM if items(facts) else CUTOFF_NO_ITEM


def years_answer(facts: Facts) -> str:
    """One of `ANSWERS`."""
    if reason_outside(facts):
        return OUTSIDE
    if facts.d_dimer is None:
        return MEASURE
    return EXCLUDE if facts.d_dimer < cutoff(facts) else IMAGE


def reasoning(facts: Facts) -> str:
    """The answer with the steps that lead to it, as the model is to write it."""
    return "\n".join([*_steps(facts), f"Answer: {years_answer(facts)}"])


def _steps(facts: Facts) -> list[str]:
    outside = reason_outside(facts)
    if outside:
        return [f"Applies: no, {outside}"]
    found = items(facts)
    steps = ["Applies: yes", f"Items: {', '.join(found) or 'none'}; cut-off {cutoff(facts)}"]
    if facts.d_dimer is None:
        return [*steps, "D-dimer: not measured"]
    side = "below" if facts.d_dimer < cutoff(facts) else "not below"
    return [*steps, f"D-dimer: {facts.d_dimer}, {side} {cutoff(facts)}"]
