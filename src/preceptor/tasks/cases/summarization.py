"""Cases of hospital stays: short notes in any order, and the discharge summary with its required elements.

Elements: Joint Commission RC.02.04.01 EP 3 (reason for hospitalization, procedures, care and treatment, condition and
disposition, provisions for follow-up) and CMS 42 CFR 482.24(c)(4) (final diagnosis; outcome, disposition and
follow-up); allergies and the reconciled list of medicines after RC.02.01.01 EP 2 and NPSG.03.06.01.
Only the last dose counts, a stopped drug is no discharge medicine, and a denied allergy is none.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from preceptor.tasks._example import Example
from preceptor.tasks.cases._course_wording import VOICES, Voice
from preceptor.tasks.cases._hospital import ALLERGENS, CONDITIONS, DRUGS, HOME_DRUGS, PLACES, STOPPED, Condition
from preceptor.tasks.cases._wording import (
    Case,
    NoteKind,
    Side,
    abbreviate,
    assemble,
    join_notes,
    on_side,
    typing_errors,
)

BodySide = Literal["left", "right"]
_OTHER: dict[BodySide, BodySide] = {"left": "right", "right": "left"}
_RELATIVES = ("mother", "father", "sister", "brother", "daughter", "son")


@dataclass(frozen=True, slots=True)
class Medicine:
    """A discharge medicine. `old` is the dose it had before, `held` that it was left out for a night and restarted."""

    name: str
    dose: str
    frequency: str
    old: str | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Stay:
    """What is true of one hospital stay.

    `allergen` is what the patient is allergic to; `denied` and `relatives` name allergens the patient is not allergic
    to. `planned` is a place the patient did not go to. `other_side` says that the other side was looked at.
    """

    age: int
    sex: Literal["F", "M"]
    condition: Condition
    side: BodySide | None
    operated: bool
    medicines: tuple[Medicine, ...]
    stopped: tuple[str, ...]
    allergen: str | None
    denied: str | None
    relatives: str | None
    place: str
    planned: str | None
    clinic: str
    weeks: int
    other_side: bool = False


# The gold summary.


def elements(stay: Stay) -> dict[str, list[str]]:
    """The required elements of the discharge summary with their values, in the order they are written."""
    medicines = sorted(stay.medicines, key=lambda medicine: medicine.name)
    return {
        "Diagnosis": [_sided(stay, stay.condition.diagnosis)],
        "Procedure": [_sided(stay, stay.condition.procedure)] if stay.operated else ["none"],
        "Medications": [f"{one.name} {one.dose} {one.frequency}" for one in medicines],
        "Stopped": sorted(stay.stopped) or ["none"],
        "Allergies": [stay.allergen or "none known"],
        "Disposition": [stay.place],
        "Follow-up": [f"{stay.clinic} in {stay.weeks} weeks"],
    }


def summary(stay: Stay) -> str:
    """The gold discharge summary: one line for each element."""
    return "\n".join(f"{element}: {'; '.join(values)}" for element, values in elements(stay).items())


def traps(stay: Stay) -> list[str]:
    """What in the course invites a wrong fact."""
    found = {
        "superseded dose": any(one.old for one in stay.medicines),
        "held and restarted": any(one.held for one in stay.medicines),
        "stopped drug": bool(stay.stopped),
        "other side": stay.other_side,
        "procedure not done": not stay.operated,
        "negated allergy": bool(stay.denied or stay.relatives),
        "other place planned": stay.planned is not None,
    }
    return [name for name, present in found.items() if present]


def _sided(stay: Stay, name: str) -> str:
    return f"{stay.side} {name}" if stay.side else name


# The stay.


def draw_stay(rng: random.Random, side: Side) -> Stay:
    """A stay with a condition of that side of the split."""
    condition = rng.choice(on_side(CONDITIONS, side))
    body_side: BodySide | None = rng.choice(("left", "right")) if condition.site else None
    medicines = _draw_medicines(condition, rng)
    stoppable = sorted(STOPPED.keys() - {one.name for one in medicines})
    allergen, denied = rng.sample(sorted(ALLERGENS), 2)
    allergic = rng.random() < 0.4
    negated = rng.choice(("denied", "relatives")) if not allergic else rng.choice(("denied", None))
    place, planned = rng.sample(PLACES, 2)
    return Stay(
        age=rng.randint(35, 92),
        sex=rng.choice(("F", "M")),
        condition=condition,
        side=body_side,
        operated=rng.random() < 0.75,
        medicines=medicines,
        stopped=tuple(rng.sample(stoppable, rng.choices((0, 1, 2), (25, 65, 10))[0])),
        allergen=allergen if allergic else None,
        denied=denied if negated == "denied" else None,
        relatives=denied if negated == "relatives" else None,
        place=place,
        planned=planned if rng.random() < 0.25 else None,
        clinic=rng.choice(condition.clinics),
        weeks=rng.choice((2, 3, 4, 6, 8)),
        other_side=body_side is not None and rng.random() < 0.6,
    )


def _draw_medicines(condition: Condition, rng: random.Random) -> tuple[Medicine, ...]:
    """One to three medicines of different groups: first what the condition asks for, then what is taken at home."""
    started = rng.sample(condition.drugs, min(len(condition.drugs), rng.choice((1, 1, 2))))
    names: list[str] = []
    for name in [*started, *rng.sample(HOME_DRUGS, rng.choice((0, 1, 1)))]:
        if DRUGS[name].group not in {DRUGS[other].group for other in names}:
            names.append(name)
    changed = rng.choice(names) if rng.random() < 0.8 else None
    held = rng.choice(names) if rng.random() < 0.4 else None
    return tuple(_medicine(name, name == changed, name == held and name != changed, rng) for name in names)


def _medicine(name: str, changed: bool, held: bool, rng: random.Random) -> Medicine:
    doses, frequency = DRUGS[name].doses, DRUGS[name].frequency
    if not changed:
        return Medicine(name, rng.choice(doses), frequency, held=held)
    step = rng.randrange(len(doses) - 1)
    low, high = doses[step], doses[step + 1]
    return Medicine(name, low, frequency, old=high) if rng.random() < 0.25 else Medicine(name, high, frequency, old=low)


# The course.

When = Literal["first", "any", "last"]

Say = Callable[..., str]
"""Words a statement, its facts given by name, in the voice of the case."""

# Words the gold hangs on are never mistyped, diagnoses never abbreviated.
_NAMES = [*DRUGS, *STOPPED, *ALLERGENS, *PLACES, *_RELATIVES, "allergy", "allergic"]
_NAMES += [text for one in CONDITIONS for text in (one.diagnosis, one.procedure, one.site or "", *one.clinics)]
_KEPT = frozenset(re.findall(r"\w+", " ".join(_NAMES)))
_DIAGNOSES = frozenset(one.diagnosis for one in CONDITIONS)


def tell(stay: Stay, voice: Voice, rng: random.Random, side: Side) -> str:
    """The course of the stay as two or three dated notes, in any order, their sentences in any order too."""
    days = sorted(rng.sample(range(1, 10), rng.choice((2, 2, 3))))
    notes: dict[int, list[str]] = {day: [] for day in days}
    at: dict[When, list[int]] = {"first": days[:1], "any": days, "last": days[-1:]}
    for when, sentence in _statements(stay, voice, rng):
        notes[rng.choice(at[when])].append(sentence)
    kinds: list[NoteKind] = rng.sample(("doctor", "nurse", "pharmacist"), len(days))
    dated = [(kind, _dated(voice, day, notes[day], rng)) for kind, day in zip(kinds, days, strict=True)]
    text = abbreviate(join_notes(dated, rng, side), rng, keep=_DIAGNOSES)
    return typing_errors(text, rng, keep=_KEPT)


def _dated(voice: Voice, day: int, sentences: list[str], rng: random.Random) -> str:
    rng.shuffle(sentences)
    return " ".join([voice.day.format(day=day), *sentences]) if sentences else ""


def _statements(stay: Stay, voice: Voice, rng: random.Random) -> list[tuple[When, str]]:
    def say(statement: str, **facts: object) -> str:
        text = rng.choice(voice.says[statement]).format(**facts)
        return text[0].upper() + text[1:] if voice.capitals else text

    person = voice.person[stay.sex].format(age=stay.age)
    procedure = _sided(stay, stay.condition.procedure)
    told: list[tuple[When, str]] = [
        ("first", say("admitted", person=person, diagnosis=_sided(stay, stay.condition.diagnosis))),
        ("any", say("done" if stay.operated else "not done", procedure=procedure)),
        ("last", say("goes instead" if stay.planned else "goes", place=stay.place, planned=stay.planned)),
        ("last", say("seen", clinic=stay.clinic, weeks=stay.weeks)),
    ]
    if stay.side and stay.other_side:
        told.append(("any", say("other side", other=_OTHER[stay.side], site=stay.condition.site)))
    for drug in stay.stopped:
        told.append(("any", say("stopped", drug=drug, reason=STOPPED[drug])))
    if stay.allergen:
        told.append(("any", say("allergic", allergen=stay.allergen, reaction=ALLERGENS[stay.allergen])))
    if stay.denied:
        told.append(("any", say("denies", allergen=stay.denied)))
    if stay.relatives:
        told.append(("any", say("relative", allergen=stay.relatives, relative=rng.choice(_RELATIVES))))
    for medicine in stay.medicines:
        told += _told_medicine(medicine, voice, say, rng)
    fillers = rng.sample(voice.fillers, rng.choice((0, 0, 1, 2)))
    return told + [("any", filler) for filler in fillers]


def _told_medicine(medicine: Medicine, voice: Voice, say: Say, rng: random.Random) -> list[tuple[When, str]]:
    """One sentence on a medicine, or the two doses in two notes, of which the later one counts."""
    facts = {"drug": medicine.name, "dose": medicine.dose, "freq": voice.frequency[medicine.frequency]}
    if medicine.old is None:
        return [("any", say("held" if medicine.held else "unchanged", **facts))]
    doses = DRUGS[medicine.name].doses
    if doses.index(medicine.old) > doses.index(medicine.dose):
        return [("any", say("lowered", old=medicine.old, **facts))]
    if rng.random() < 0.5:
        return [("any", say("changed", old=medicine.old, **facts))]
    return [("first", say("before", old=medicine.old, **facts)), ("last", say("after", **facts))]


# The cases.


def draw(rng: random.Random, side: Side) -> Case:
    """One case. Conditions and wording families belong to one side of the split."""
    stay = draw_stay(rng, side)
    voice = rng.choice(on_side(VOICES, side))
    pattern = ", ".join([stay.condition.diagnosis, *traps(stay)])
    person = f"{stay.sex}{stay.age} {stay.allergen}"
    return Case(pattern, voice.name, {"course": tell(stay, voice, rng, side)}, summary(stay), person)


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases with their `split`; the same count and seed give the same cases."""
    return assemble("summarization", draw, count, seed)
