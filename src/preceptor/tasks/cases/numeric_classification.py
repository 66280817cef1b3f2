"""Cases of acute kidney injury: a creatinine series, urine output, and the stage by KDIGO 2012.

A fact pattern is a creatinine story with a urine story; each story occurs in train and in test, each pair of
stories in one of them only. Among the stories are the near misses: +0.3 mg/dL over more than 48 h, 1.4 times the
baseline, a baseline older than 7 days, a stable 4.2 mg/dL, 5 h of low urine, low urine interrupted, exactly 0.5.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from preceptor.tasks._example import Example
from preceptor.tasks.cases._kdigo import Reading, Unit, Urine, creatinine_stage, highest_ratio, kdigo_stage, urine_stage
from preceptor.tasks.cases._wording import Case, Side, abbreviate, assemble, join_notes, on_side, typing_errors

LABELS = ("no AKI", "stage 1", "stage 2", "stage 3")
Range = tuple[float, float]


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases; labels about equally frequent."""
    return assemble("numeric_classification", draw, count, seed)


def draw(rng: random.Random, side: Side) -> Case:
    """One case of a side: a pattern of a random stage, its numbers, and its text."""
    stage = rng.randrange(len(LABELS))
    creatinine_story, urine_story = _pattern(stage, rng, side)
    unit: Unit = rng.choice(("mg/dL", "mg/dL", "µmol/L"))
    creatinine = _readings(creatinine_story, unit, rng)
    urine = _urine(urine_story, rng)
    wording = rng.choice(on_side(WORDINGS, side))
    return Case(
        pattern=f"{creatinine_story.name} and {urine_story.name}",
        wording=wording.name,
        fields={"record": _record(creatinine, urine, unit, wording, rng, side)},
        target=LABELS[kdigo_stage(creatinine, urine, unit)],
    )


# Fact patterns


@dataclass(frozen=True, slots=True)
class CreatinineStory:
    """From `base` mg/dL by `plus` mg/dL, or to `times` the base, over `hours`; `stage` by creatinine alone."""

    name: str
    stage: int
    base: Range
    hours: Range
    plus: Range | None = None
    times: Range = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class UrineStory:
    """`low` periods of (hours, mL/kg/h) ranges, with good urine before, after and between; stage by urine alone."""

    name: str
    stage: int
    low: tuple[tuple[Range, Range], ...] = ()
    charted: bool = True


CREATININE = (
    CreatinineStory("stable", 0, base=(0.5, 1.6), plus=(-0.1, 0.1), hours=(16, 96)),
    CreatinineStory("rise below 0.3", 0, base=(0.7, 2.2), plus=(0.15, 0.29), hours=(10, 48)),
    CreatinineStory("rise over more than 48 h", 0, base=(0.9, 2.4), plus=(0.3, 0.4), hours=(52, 80)),
    CreatinineStory("below 1.5 times", 0, base=(0.6, 0.9), times=(1.35, 1.48), hours=(80, 160)),
    CreatinineStory("baseline older than 7 days", 0, base=(0.7, 1.1), times=(1.5, 1.8), hours=(200, 330)),
    CreatinineStory("stable above 4", 0, base=(4.1, 6.2), plus=(-0.2, 0.2), hours=(16, 96)),
    CreatinineStory("rise of 0.3 within 48 h", 1, base=(0.9, 1.9), plus=(0.3, 0.42), hours=(10, 48)),
    CreatinineStory("1.5 to 1.9 times", 1, base=(0.6, 1.1), times=(1.5, 1.9), hours=(30, 168)),
    CreatinineStory("chronic rise below 4", 1, base=(2.2, 3.4), plus=(0.3, 0.5), hours=(10, 48)),
    CreatinineStory("2.0 to 2.3 times", 2, base=(0.6, 1.5), times=(2.0, 2.3), hours=(20, 168)),
    CreatinineStory("2.4 to 2.6 times", 2, base=(0.6, 1.4), times=(2.4, 2.6), hours=(20, 168)),
    CreatinineStory("2.7 to 2.9 times", 2, base=(0.6, 1.3), times=(2.7, 2.9), hours=(20, 168)),
    CreatinineStory("3 times", 3, base=(0.5, 1.2), times=(3.0, 3.6), hours=(20, 168)),
    CreatinineStory("rise of 0.3 to 4", 3, base=(3.6, 4.6), plus=(0.3, 0.7), hours=(10, 48)),
    CreatinineStory("1.5 times to 4", 3, base=(2.3, 2.9), times=(1.6, 1.9), hours=(60, 168)),
)
URINE = (
    UrineStory("urine not charted", 0, charted=False),
    UrineStory("good urine", 0),
    UrineStory("low below 6 h", 0, low=(((3, 5), (0.2, 0.45)),)),
    UrineStory("exactly 0.5", 0, low=(((7, 20), (0.5, 0.5)),)),
    UrineStory("low twice, interrupted", 0, low=(((4, 5), (0.25, 0.45)), ((3, 5), (0.25, 0.45)))),
    UrineStory("low 6 to 11 h", 1, low=(((6, 11), (0.3, 0.45)),)),
    UrineStory("none below 12 h", 1, low=(((6, 11), (0.0, 0.0)),)),
    UrineStory("low 12 to 23 h", 2, low=(((12, 23), (0.3, 0.45)),)),
    UrineStory("very low below 24 h", 2, low=(((12, 23), (0.1, 0.25)),)),
    UrineStory("low beyond 24 h", 2, low=(((24, 36), (0.3, 0.45)),)),
    UrineStory("very low 24 h", 3, low=(((24, 36), (0.1, 0.25)),)),
    UrineStory("none 12 h", 3, low=(((12, 20), (0.0, 0.0)),)),
)


def _pattern(stage: int, rng: random.Random, side: Side) -> tuple[CreatinineStory, UrineStory]:
    """A pair of stories of this side whose worse one has `stage`; a fifth of the cases have no urine chart."""
    charted = rng.random() >= 0.2
    return rng.choice(
        [
            (creatinine, urine)
            for row, creatinine in enumerate(CREATININE)
            for column, urine in enumerate(URINE)
            if max(creatinine.stage, urine.stage) == stage
            and urine.charted == charted
            and ((row + column) % 3 == 1) == (side == "test")
        ]
    )


# Numbers


def _readings(story: CreatinineStory, unit: Unit, rng: random.Random) -> list[Reading]:
    """Two to four readings that tell `story`; drawn again until what is written, rounded, still has its stage."""
    while True:
        readings = _one_series(story, unit, rng)
        # The staging table leaves 1.9-2.0 and 2.9-3.0 open; no case hangs on them.
        clear = not any(Decimal(low) < highest_ratio(readings) < high for low, high in (("1.9", 2), ("2.9", 3)))
        if clear and creatinine_stage(readings, unit) == story.stage:
            return readings


def _one_series(story: CreatinineStory, unit: Unit, rng: random.Random) -> list[Reading]:
    base = rng.uniform(*story.base)
    peak = base + rng.uniform(*story.plus) if story.plus else base * rng.uniform(*story.times)
    span = round(rng.uniform(*story.hours))
    points = [(0, base), (span, peak)]
    if rng.random() < 0.6:
        share = rng.uniform(0.3, 0.7)
        points.insert(1, (round(span * share), base + (peak - base) * share))
    if rng.random() < 0.4:
        points.append((span + rng.randrange(6, 25), peak * rng.uniform(0.94, 1.0)))
    if rng.random() < 0.3:
        lead = rng.randrange(8, 25)
        points = [(0, base), *((hour + lead, value) for hour, value in points)][:4]
    digits = rng.choice((1, 2))
    return [Reading(hour, _written(value, digits, unit)) for hour, value in points]


def _written(milligrams: float, digits: int, unit: Unit) -> Decimal:
    return Decimal(f"{milligrams:.{digits}f}") if unit == "mg/dL" else Decimal(round(milligrams * 88.4))


def _urine(story: UrineStory, rng: random.Random) -> list[Urine]:
    if not story.charted:
        return []
    low = [_period(rng, *ranges) for ranges in story.low]
    while True:
        periods = [_good(rng)] if rng.random() < 0.6 or not low else []
        for index, period in enumerate(low):
            periods += [_good(rng), period] if index else [period]
        if rng.random() < 0.5 and len(periods) < 3:
            periods.append(_good(rng))
        if urine_stage(periods) == story.stage:
            return periods


def _good(rng: random.Random) -> Urine:
    return _period(rng, (2, 24), (0.55, 1.4))


def _period(rng: random.Random, hours: Range, rate: Range) -> Urine:
    twentieths = round(rng.uniform(*rate) * 20)
    return Urine(round(rng.uniform(*hours)), Decimal(twentieths) / 20)


# Text


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to write the readings and the urine output."""

    name: str
    creatinine: Callable[[Sequence[Reading], str, random.Random], str]
    urine: Callable[[Sequence[Urine]], str]


def _clock(readings: Sequence[Reading], unit: str, rng: random.Random) -> str:
    start = rng.choice((6, 7, 8))
    times = [divmod(start + reading.hour, 24) for reading in readings]
    return f"Cr {unit}: " + "; ".join(
        f"day {day + 1} {hour:02d}:00 {reading.value}" for (day, hour), reading in zip(times, readings, strict=True)
    )


def _on_arrival(readings: Sequence[Reading], unit: str, _: random.Random) -> str:
    first, *rest = readings
    return f"Creatinine {first.value} {unit} on arrival, " + ", ".join(f"{r.value} after {r.hour} h" for r in rest)


def _slashes(readings: Sequence[Reading], unit: str, _: random.Random) -> str:
    hours, values = (" / ".join(str(part) for part in column) for column in zip(*readings, strict=True))
    return f"Creatinine at {hours} h: {values} {unit}"


WORDINGS = (
    Wording(
        "at",
        lambda readings, unit, _: f"Creatinine ({unit}): " + ", ".join(f"{r.value} at {r.hour} h" for r in readings),
        lambda urine: "Urine output " + ", then ".join(f"{u.rate} mL/kg/h for {u.hours} h" for u in urine),
    ),
    Wording(
        "on arrival",
        _on_arrival,
        lambda urine: "Urine mL/kg/h: " + ", ".join(f"{u.rate} ({u.hours} h)" for u in urine),
    ),
    Wording(
        "arrows",
        lambda readings, unit, _: "creatinine " + " -> ".join(f"{r.value} ({r.hour} h)" for r in readings) + f" {unit}",
        lambda urine: "UO mL/kg/h " + ", ".join(f"{u.hours} h @ {u.rate}" for u in urine),
    ),
    Wording("clock", _clock, lambda urine: "Passed " + ", ".join(f"{u.rate} mL/kg/h over {u.hours} h" for u in urine)),
    Wording(
        "slashes",
        _slashes,
        lambda urine: "Hourly urine " + ", next ".join(f"{u.hours} h {u.rate} mL/kg/h" for u in urine),
    ),
    Wording(
        "equals",
        lambda readings, unit, _: f"SCr [{unit}] " + " ".join(f"{r.hour}h={r.value}" for r in readings),
        lambda urine: "U/O " + "; ".join(f"{u.rate} x {u.hours} h" for u in urine) + " mL/kg/h",
    ),
)

NOT_CHARTED = (
    "urine not measured",
    "no catheter, urine not charted",
    "no urine chart kept",
    "urine volumes not recorded",
    "no record of urine",
)

# What is said beside the numbers tells nothing of the stage.
REMARKS = (
    "Day 1 after hip repair, drinking well.",
    "Pneumonia, on co-amoxiclav.",
    "Family worried about the kidneys.",
    "History of hypertension, no diuretic.",
    "Looks well, wants to go home.",
    "Septic on admission, fluids given.",
    "Contrast CT yesterday, no contrast since.",
    "No NSAID, no ACE inhibitor.",
    "Drowsy this morning, please review.",
    "Known chronic kidney disease, not dialysed.",
    "Vomiting has stopped, eating a little.",
    "Had furosemide once, weight stable.",
    "After bypass surgery, off pressors.",
    "Very unwell overnight, consultant called.",
    "Potassium 4.8, no ECG change.",
    "History of heart failure, not breathless.",
    "Gentamicin for 2 doses, level not raised.",
    "Routine bloods, nothing new to report.",
    "Potassium 5.6, treatment given.",
    "Type 2 diabetes, metformin held.",
    "Diarrhoea for days, denies fever.",
)


def _record(
    creatinine: Sequence[Reading],
    urine: Sequence[Urine],
    unit: Unit,
    wording: Wording,
    rng: random.Random,
    side: Side,
) -> str:
    written_unit = unit if unit == "mg/dL" else rng.choice(("µmol/L", "umol/L"))
    remark = rng.choice(on_side(REMARKS, side)) if rng.random() < 0.7 else ""
    passed = wording.urine(urine) if urine else rng.choice(on_side(NOT_CHARTED, side))
    text = join_notes(
        [("lab", wording.creatinine(creatinine, written_unit, rng)), ("nurse", passed), ("doctor", remark)], rng, side
    )
    return typing_errors(abbreviate(text, rng), rng, rate=0.04)
