"""Cases of suspected urinary infection: does the case meet the NHSN definition? About half do.

Most cases that do not are a case that does with one fact moved across a limit: a near miss.
"""

import random
from zlib import crc32

from preceptor.tasks._example import Example
from preceptor.tasks.cases._suti import FEVER_ABOVE, LEAST_COUNT, OLDEST_FOR_FEVER, WINDOW_DAYS, Facts, suti_met
from preceptor.tasks.cases._suti_draw import NEAR_MISSES, any_met, any_near_miss, far_miss
from preceptor.tasks.cases._suti_wording import FAMILIES, sentences
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

MET, NOT_MET = "met", "not met"

_FAR_MISSES = 0.35
"""The share of the cases that do not meet the definition and miss it by more than one criterion."""

_KEEP = (
    "candida",
    "catheter",
    "dysuria",
    "urgency",
    "frequency",
    "tenderness",
    "yesterday",
    "place",
    "after",
    "before",
)


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases; fact patterns and wording families differ between test and the rest."""
    return assemble("text_classification", draw, count, seed)


def draw(rng: random.Random, side: Side) -> Case:
    """One case in words, with its gold label."""
    facts, _ = draw_facts(rng, side)
    family = rng.choice(on_side(FAMILIES, side))
    ward, lab = sentences(facts, family, rng)
    text = rng.choice((" ".join([*ward, *lab]), join_notes(_notes(ward, lab, rng), rng, side)))
    text = typing_errors(abbreviate(text, rng, keep=("days",)), rng, keep=_KEEP)
    label = MET if suti_met(facts) else NOT_MET
    return Case(pattern(facts), family.name, {"note": text}, label, person=f"{facts.sex} {facts.age}")


def draw_facts(rng: random.Random, side: Side) -> tuple[Facts, str | None]:
    """Facts whose pattern belongs to `side`, and the name of the near miss they are, if they are one."""
    met = rng.random() < 0.5
    near_miss = None if met or rng.random() < _FAR_MISSES else any_near_miss(rng)
    draw_one = NEAR_MISSES[near_miss] if near_miss else any_met if met else far_miss
    while True:
        facts = draw_one(rng)
        if _side(facts) == side:
            return facts, near_miss


def _notes(ward: list[str], lab: list[str], rng: random.Random) -> list[tuple[NoteKind, str]]:
    """The laboratory's note beside one or two of the ward."""
    half = rng.choice((0, rng.randrange(2, len(ward))))
    return [("doctor", " ".join(ward[:half])), ("nurse", " ".join(ward[half:])), ("lab", " ".join(lab))]


def pattern(facts: Facts) -> str:
    """What is true of the patient, numbers set aside: two cases of one pattern differ only in detail."""
    catheter = facts.catheter
    if catheter is None:
        tube = "no catheter"
    else:
        when = {0: "in", 1: "out yesterday"}.get(catheter.removed_days_ago, "out earlier")
        tube = f"{when} after {'over 2' if catheter.days > 2 else '2 or fewer'} days"
    grown = ["yeast" if not one.bacterium else "many" if one.count >= LEAST_COUNT else "few" for one in facts.organisms]
    return "; ".join(
        (
            tube,
            "fever" if facts.temperature > FEVER_ABOVE else "no fever",
            "older" if facts.age > OLDEST_FOR_FEVER else "younger",
            "+".join(sorted(facts.present)) or "no symptom",
            "+".join(sorted(grown)),
            "in window" if abs(facts.culture_after) <= WINDOW_DAYS else "outside window",
        )
    )


def _side(facts: Facts) -> Side:
    """A quarter of all patterns, told by their name, is for test."""
    return "test" if crc32(pattern(facts).encode()) % 4 == 0 else "train"
