"""The facts of one suspected urinary infection, and the NHSN rule that decides them.

Rule: CDC National Healthcare Safety Network, Patient Safety Component Manual, chapter 7 (UTI), table 1,
SUTI 1a (catheter-associated) and SUTI 1b (not catheter-associated), patients of any age.
"""

from dataclasses import dataclass
from typing import Literal

Symptom = Literal["suprapubic tenderness", "flank tenderness", "urgency", "frequency", "dysuria"]
TENDERNESS: tuple[Symptom, ...] = ("suprapubic tenderness", "flank tenderness")
VOIDING: tuple[Symptom, ...] = ("urgency", "frequency", "dysuria")

FEVER_ABOVE = 38.0
"""Degrees Celsius; 38.0 itself is no fever."""
OLDEST_FOR_FEVER = 65
"""Years; above this, fever counts only with a catheter in place for more than two days."""
LEAST_COUNT = 100_000
"""CFU/mL of at least one bacterium."""
MOST_SPECIES = 2
WINDOW_DAYS = 3
"""The infection window: three days before the culture to three days after."""

CULTURE, SYMPTOM, WINDOW = "culture", "symptom", "window"
"""The three criteria; each can be the only one a case fails."""


@dataclass(frozen=True, slots=True)
class Organism:
    """One species grown from the urine, with its count in CFU/mL."""

    name: str
    count: int
    bacterium: bool = True


@dataclass(frozen=True, slots=True)
class Catheter:
    """An indwelling urinary catheter. The day of placement is day 1.

    `days`: calendar days in place, up to the date of event or to removal. `removed_days_ago`: 0 while in place.
    """

    days: int
    removed_days_ago: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """One patient on the date of event. `culture_after`: days from the symptoms to the culture, may be negative."""

    age: int
    sex: Literal["female", "male"]
    temperature: float
    catheter: Catheter | None
    present: frozenset[Symptom]
    denied: frozenset[Symptom]
    organisms: tuple[Organism, ...]
    culture_after: int = 0


def catheter_associated(facts: Facts) -> bool:
    """In place for more than two consecutive days, and in place on the date of event or removed the day before."""
    catheter = facts.catheter
    return catheter is not None and catheter.days > 2 and catheter.removed_days_ago <= 1


def fever_counts(facts: Facts) -> bool:
    """1a: above 38.0 C at any age. 1b: above 38.0 C at 65 years or less."""
    return facts.temperature > FEVER_ABOVE and (catheter_associated(facts) or facts.age <= OLDEST_FOR_FEVER)


def counted_symptoms(facts: Facts) -> frozenset[Symptom]:
    """The symptoms that count: urgency, frequency and dysuria do not while a catheter is in place."""
    in_place = facts.catheter is not None and facts.catheter.removed_days_ago == 0
    return frozenset(symptom for symptom in facts.present if not (in_place and symptom in VOIDING))


def culture_counts(facts: Facts) -> bool:
    """No more than two species, at least one of them a bacterium at 100,000 CFU/mL or more."""
    enough = any(organism.bacterium and organism.count >= LEAST_COUNT for organism in facts.organisms)
    return enough and len(facts.organisms) <= MOST_SPECIES


def criteria_missed(facts: Facts) -> frozenset[str]:
    """Which of `CULTURE`, `SYMPTOM` and `WINDOW` fail; empty when the definition is met."""
    holds = {
        CULTURE: culture_counts(facts),
        SYMPTOM: fever_counts(facts) or bool(counted_symptoms(facts)),
        WINDOW: abs(facts.culture_after) <= WINDOW_DAYS,
    }
    return frozenset(criterion for criterion, held in holds.items() if not held)


def suti_met(facts: Facts) -> bool:
    """Whether the case meets SUTI 1a or 1b."""
    return not criteria_missed(facts)
