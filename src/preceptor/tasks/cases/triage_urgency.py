"""Cases for `triage_urgency`: a triage nurse's note and the level the steps of ESI v4 give it.

A fact pattern is a complaint with the criterion that decides or is just missed (`CELLS`); complaints, and with them
patterns, belong to one side. Tone, background, and the number of items in the work-up are drawn without regard to
the level.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from preceptor.tasks._example import Example
from preceptor.tasks.cases import _triage_urgency_wording as say
from preceptor.tasks.cases._esi import (
    DANGER_SPO2,
    LEVEL_1_SPO2,
    MANY,
    SEVERE_PAIN,
    Facts,
    Level,
    Measure,
    Vitals,
    danger_limits,
    worksheet,
)
from preceptor.tasks.cases._triage_urgency_complaints import ADULT, COMPLAINTS, DRUG, LABS, XRAY, Complaint
from preceptor.tasks.cases._wording import Case, Side, abbreviate, assemble, join_notes, on_side, typing_errors

VitalSigns = Literal["easy", "on the limit", "danger", "under 90"]

CELLS: dict[Level, tuple[str, ...]] = {
    "1": ("life saving", "life saving", "under 90"),
    "2": ("high risk", "new confusion", "severe pain", "danger", "danger"),
    "3": ("on the limit", "on the limit", "pain six", "usual confusion", "risk ruled out", "plain"),
    "4": ("same kind twice", "same kind twice", "danger but few", "pain six", "usual confusion", "plain"),
    "5": ("none counted", "none counted", "danger but few", "pain six", "usual confusion", "risk ruled out"),
}
"""What decides a case, or what it just misses; a cell named twice is drawn twice as often."""
NEAR_MISSES = frozenset(
    (
        "on the limit",
        "pain six",
        "usual confusion",
        "risk ruled out",
        "same kind twice",
        "danger but few",
        "none counted",
    )
)
"""Cells of levels 3 to 5 that one changed criterion would move to a more urgent level."""

_KINDS: dict[Level, tuple[int, ...]] = {"1": (2, 3), "2": (1, 2, 2, 3), "3": (2, 2, 3), "4": (1,), "5": (0,)}
"""How many kinds of resources; levels 1 and 2 do not depend on it, but for danger-zone vitals, which need two."""
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_OLD, _ADULT = (68 * 12, 91 * 12), (ADULT, 86 * 12)
_CHILD_BANDS = ((24, 36), (6 * 12, 9 * 12), (9 * 12, ADULT))
_KEEP = ("confused", "drowsy", "disoriented", "lethargic", "usual", "baseline", "blood", "pulse", "unresponsive")


@dataclass(frozen=True, slots=True)
class Patient:
    """The facts of one patient and what they were drawn for; `items` are the words of `facts.measures`."""

    complaint: Complaint
    cell: str
    sex: Literal["F", "M"]
    facts: Facts
    items: tuple[str, ...]


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases with field `note`; the target is the worksheet of ESI that ends in `Level:` 1 to 5."""
    return assemble("triage_urgency", draw, count, seed)


def draw(rng: random.Random, side: Side) -> Case:
    """One case of one side."""
    return tell(draw_patient(rng, side), rng, side)


def draw_patient(rng: random.Random, side: Side) -> Patient:
    """The facts of one patient whose complaint belongs to `side`; the five levels are equally likely."""
    level = rng.choice(tuple(CELLS))
    cell = rng.choice(CELLS[level])
    complaint = rng.choice(on_side(COMPLAINTS, side))
    age_months = _age(rng, complaint, cell)
    measures = _measures(rng, complaint, level, cell)
    facts = Facts(
        age_months=age_months,
        vitals=_vitals(rng, age_months, _vital_signs(rng, level, cell)),
        pain=_pain(rng, cell),
        measures=measures,
        life_saving=cell == "life saving",
        high_risk=cell == "high risk",
        newly_confused=cell == "new confusion",
    )
    return Patient(complaint, cell, rng.choice(("F", "M")), facts, _items(rng, side, complaint, measures))


def tell(patient: Patient, rng: random.Random, side: Side) -> Case:
    """Write the patient down in one wording family of `side`; the target comes from the facts alone."""
    layout = rng.choice(say.LAYOUTS[side])
    facts = patient.facts
    note = _lay_out(
        rng,
        side,
        layout.endswith("notes"),
        [_person(rng, side, patient), *_story(rng, side, patient)],
        _vital_words(rng, side, facts.vitals),
        rng.choice(say.WORK_UP[side]).format(", ".join(patient.items)),
        _asides(rng, side, facts),
    )
    return Case(
        f"{patient.complaint.name}/{patient.cell}",
        layout,
        {"note": typing_errors(abbreviate(note, rng, keep=("days",)), rng, keep=_KEEP)},
        worksheet(facts),
        f"{patient.sex}{facts.age_months}",
    )


# Facts


def _age(rng: random.Random, complaint: Complaint, cell: str) -> int:
    if cell == "usual confusion":
        return rng.randrange(*_OLD)
    bands = [band for band in _CHILD_BANDS if band[0] >= complaint.youngest]
    if bands and rng.random() < 0.25:
        return rng.randrange(*rng.choice(bands))
    return rng.randrange(*_ADULT)


def _pain(rng: random.Random, cell: str) -> int | None:
    if cell == "life saving" or ("confusion" in cell and rng.random() < 0.5):
        return None
    if cell == "severe pain":
        return rng.randint(SEVERE_PAIN, 10)
    return SEVERE_PAIN - 1 if cell == "pain six" else rng.randrange(SEVERE_PAIN)


def _vital_signs(rng: random.Random, level: Level, cell: str) -> VitalSigns:
    """Where the cell is not about vitals, any that leave the level alone: level 3 is the one danger would change."""
    told: dict[str, VitalSigns] = {
        "under 90": "under 90",
        "on the limit": "on the limit",
        "danger": "danger",
        "danger but few": "danger",
    }
    free: tuple[VitalSigns, ...] = ("easy", "on the limit") if level == "3" else ("easy", "on the limit", "danger")
    return told[cell] if cell in told else rng.choice(free)


def _vitals(rng: random.Random, age_months: int, signs: VitalSigns) -> Vitals:
    heart_limit, breath_limit = danger_limits(age_months)
    easy = Vitals(heart_limit - rng.randrange(6, 35), breath_limit - rng.randrange(2, 8), rng.randrange(94, 100))
    if signs == "easy":
        return easy
    if signs == "under 90":
        return replace(easy, spo2=LEVEL_1_SPO2 - rng.randrange(1, 6))
    danger = signs == "danger"
    which = rng.choice(("heart", "breath", "oxygen"))
    if which == "heart":
        return replace(easy, heart_rate=heart_limit + (rng.randrange(1, 19) if danger else -rng.randrange(2)))
    if which == "breath":
        return replace(easy, respiratory_rate=breath_limit + (rng.randrange(1, 9) if danger else -rng.randrange(2)))
    return replace(easy, spo2=DANGER_SPO2 - rng.randint(1, 2) if danger else DANGER_SPO2 + rng.randrange(2))


def _measures(rng: random.Random, complaint: Complaint, level: Level, cell: str) -> tuple[Measure, ...]:
    """Three or four whatever the level, in random order, some of them uncounted."""
    length = rng.choice((3, 4))
    twice = _kind_seen_twice(complaint)
    counts = _KINDS["3"] if cell == "danger" else _KINDS[level]
    kinds: list[Measure] = list(rng.sample(complaint.kinds, rng.choice(counts)))
    if cell == "same kind twice":
        kinds = [twice, twice]
    elif len(kinds) >= MANY and twice in kinds and rng.random() < 0.5:
        kinds.append(twice)
    measures = kinds[:length] + [None] * (length - len(kinds))
    rng.shuffle(measures)
    return tuple(measures)


def _kind_seen_twice(complaint: Complaint) -> Measure:
    """A kind of which two items can be expected: X-rays of two parts, or two laboratory tests."""
    return XRAY if len(complaint.parts) > 1 else LABS


# Words


def _items(rng: random.Random, side: Side, complaint: Complaint, measures: tuple[Measure, ...]) -> tuple[str, ...]:
    words: list[str] = []
    for measure in measures:
        words.append(rng.choice([word for word in _item_words(side, complaint, measure) if word not in words]))
    return tuple(words)


def _item_words(side: Side, complaint: Complaint, measure: Measure) -> Sequence[str]:
    if measure is None:
        return say.UNCOUNTED_WORDS[side] + (say.UNCOUNTED_LIMB_WORDS[side] if complaint.limb else ())
    if measure == DRUG and complaint.drugs:
        return complaint.drugs
    return [
        words.format(part=part, procedure=complaint.procedure)
        for words in say.RESOURCE_WORDS[side][measure]
        for part in complaint.parts or ("",)
    ]


def _person(rng: random.Random, side: Side, patient: Patient) -> str:
    months = patient.facts.age_months
    age = f"{months} months" if months < 3 * 12 else str(months // 12)
    child = months < ADULT
    sex = {"F": "girl" if child else "woman", "M": "boy" if child else "man"}[patient.sex]
    return rng.choice(say.PERSON[side]).format(age=age, sex=sex)


def _story(rng: random.Random, side: Side, patient: Patient) -> list[str]:
    """Complaint, state of mind, pain, risk and first care, in random order."""
    facts = patient.facts
    story = [rng.choice(patient.complaint.stories), _mind(rng, side, patient), _pain_words(rng, side, patient)]
    risk, ruled_out = rng.choice(patient.complaint.risks)
    if facts.high_risk:
        story.append(risk)
    elif patient.cell == "risk ruled out" or rng.random() < 0.3:
        story.append(ruled_out)
    if rng.random() < 0.3:
        story.append(rng.choice(say.NOT_LIFE_SAVING[side]))
    rng.shuffle(story)
    return story


def _mind(rng: random.Random, side: Side, patient: Patient) -> str:
    clear = say.CLEAR_MIND_CHILD if patient.facts.age_months < 9 * 12 else say.CLEAR_MIND
    banks = {
        "life saving": say.LIFE_SAVING,
        "new confusion": say.NEW_CONFUSION,
        "usual confusion": say.USUAL_CONFUSION,
    }
    return rng.choice(banks.get(patient.cell, clear)[side])


def _pain_words(rng: random.Random, side: Side, patient: Patient) -> str:
    if patient.facts.pain is None:
        return rng.choice(say.PAIN_UNKNOWN[side])
    return rng.choice(say.PAIN[side]).format(score=_NUMBERS[patient.facts.pain])


def _vital_words(rng: random.Random, side: Side, vitals: Vitals) -> str:
    heart, breath, oxygen = rng.choice(say.VITALS[side])
    words = [heart.format(vitals.heart_rate), breath.format(vitals.respiratory_rate), oxygen.format(vitals.spo2)]
    rng.shuffle(words)
    return ", ".join(words)


def _asides(rng: random.Random, side: Side, facts: Facts) -> list[str]:
    """Tone and background, neither of which knows the level."""
    background = say.BACKGROUND[side] + (say.BACKGROUND_ADULT[side] if facts.age_months >= ADULT else ())
    said = [rng.choice(bank) for bank in (say.TONE[side], background) if rng.random() < 0.5]
    return said or [rng.choice(background)]


def _lay_out(
    rng: random.Random, side: Side, several: bool, story: list[str], vitals: str, work_up: str, asides: list[str]
) -> str:
    """One text, or the notes of a nurse and a doctor with the vitals charted apart; the parts in random order."""
    if not several:
        parts = [vitals, work_up, *asides]
        rng.shuffle(parts)
        return _sentences(", ".join(story), *parts) + "."
    half = rng.randrange(2, len(story))
    nurse = _sentences(", ".join(story[:half]), *asides)
    doctor = _sentences(", ".join(story[half:]), work_up)
    return join_notes([("nurse", nurse), ("observations", vitals), ("doctor", doctor)], rng, side)


def _sentences(*parts: str) -> str:
    return ". ".join(part[0].upper() + part[1:] for part in parts)
