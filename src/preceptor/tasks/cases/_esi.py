"""The facts a triage nurse writes down, and the steps of the Emergency Severity Index that turn them into a level.

Rule: Emergency Severity Index, version 4 (Gilboy et al., AHRQ Publication 12-0014, 2011): decision points A to D,
the table of resources, the danger-zone vitals. Two places where ESI leaves the nurse a choice are fixed here, so
that every case has one answer: pain of 7 or more out of 10 is always severe (B), danger-zone vitals always move a
patient who needs two or more resources to level 2 (D).
"""

from dataclasses import dataclass
from typing import Literal

Level = Literal["1", "2", "3", "4", "5"]
Resource = Literal["labs", "ECG", "X-ray", "scan", "fluids", "drug", "consult", "procedure"]
Measure = Resource | None
"""What one expected measure counts as; None for what ESI does not count: oral drugs, prescriptions, point-of-care
tests, tetanus shots, simple dressings, crutches, splints, slings, a saline lock, oxygen, a telephone call."""

SEVERE_PAIN = 7
"""Out of 10 (decision point B)."""
LEVEL_1_SPO2 = 90
"""Percent; below this decision point A holds."""
DANGER_SPO2 = 92
"""Percent; below this is the danger zone, at every age."""
MANY = 2
"""Kinds of resources from which the vitals are looked at."""

_DANGER_BY_AGE = ((3, 180, 50), (3 * 12, 160, 40), (8 * 12 + 12, 140, 30))
"""(younger than this many months, heart rate above, respiratory rate above); an eight-year-old is still 3 to 8."""
_DANGER_ADULT = (100, 20)


@dataclass(frozen=True, slots=True)
class Vitals:
    """Beats a minute, breaths a minute, percent."""

    heart_rate: int
    respiratory_rate: int
    spo2: int


@dataclass(frozen=True, slots=True)
class Facts:
    """One patient at triage.

    `pain` is out of 10, None where it cannot be rated; `measures` is the expected work-up, item by item.
    """

    age_months: int
    vitals: Vitals
    pain: int | None
    measures: tuple[Measure, ...]
    life_saving: bool = False
    """An intervention of decision point A is needed now, or the patient is apnoeic, pulseless or unresponsive."""
    high_risk: bool = False
    newly_confused: bool = False
    """Confused, lethargic or disoriented, and not so before."""


def danger_limits(age_months: int) -> tuple[int, int]:
    """Heart rate and respiratory rate above which vitals are in the danger zone at this age."""
    for younger_than, heart_rate, respiratory_rate in _DANGER_BY_AGE:
        if age_months < younger_than:
            return heart_rate, respiratory_rate
    return _DANGER_ADULT


def in_danger_zone(age_months: int, vitals: Vitals) -> bool:
    """Decision point D: any one of the three beyond its limit; a value on the limit is not."""
    heart_rate, respiratory_rate = danger_limits(age_months)
    return vitals.heart_rate > heart_rate or vitals.respiratory_rate > respiratory_rate or vitals.spo2 < DANGER_SPO2


def kinds(measures: tuple[Measure, ...]) -> list[Resource]:
    """Decision point C: the different kinds, as first named; two blood tests are one, oral drugs are none."""
    return list(dict.fromkeys(measure for measure in measures if measure is not None))


def triage(facts: Facts) -> tuple[list[str], Level]:
    """What each decision point finds in the note, up to the first one that holds, and the level it gives."""
    vitals, needed = facts.vitals, kinds(facts.measures)
    steps = [f"A: SpO2 {vitals.spo2}" + (", life-saving help" if facts.life_saving else "")]
    if facts.life_saving or vitals.spo2 < LEVEL_1_SPO2:
        return steps, "1"
    sign = ", high risk" if facts.high_risk else ", new confusion" if facts.newly_confused else ""
    steps.append(("B: pain not rated" if facts.pain is None else f"B: pain {facts.pain}") + sign)
    if sign or (facts.pain or 0) >= SEVERE_PAIN:
        return steps, "2"
    steps.append(f"C: {', '.join(needed) or 'none'}")
    if len(needed) < MANY:
        return steps, "4" if needed else "5"
    steps.append(f"D: HR {vitals.heart_rate}, RR {vitals.respiratory_rate}")
    return steps, "2" if in_danger_zone(facts.age_months, vitals) else "3"


def worksheet(facts: Facts) -> str:
    """The steps, one a line, and `Level:` with the level in the last."""
    steps, level = triage(facts)
    return "\n".join([*steps, f"Level: {level}"])


def esi_level(facts: Facts) -> Level:
    """The level, by the first decision point that holds."""
    return triage(facts)[1]
