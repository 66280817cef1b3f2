"""Cases of suspected pulmonary embolism for the YEARS rule: reasoning in a few lines, then the answer.

All four answers are about as frequent. Most D-dimers lie between the two cut-offs, where the items decide, and
most patients to whom the rule applies have something that nearly keeps them out of it.
"""

import random
from dataclasses import replace
from zlib import crc32

from preceptor.tasks._example import Example
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
from preceptor.tasks.cases._years import (
    ANSWERS,
    CUTOFF_ITEM,
    CUTOFF_NO_ITEM,
    MEASURE,
    OUTSIDE,
    PER_UNIT,
    Anticoagulant,
    Facts,
    Pregnancy,
    Sex,
    items,
    reason_outside,
    reasoning,
    years_answer,
)
from preceptor.tasks.cases._years_wording import FAMILIES, sentences

_TREATMENTS = ("apixaban", "rivaroxaban", "enoxaparin", "dalteparin")
_KEEP = (*_TREATMENTS, "haemoptysis", "blood", "swollen", "likely", "likelier", "prophylactic", "therapeutic", "since")


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases; fact patterns and wording families differ between test and the rest."""
    return assemble("clinical_reasoning", draw, count, seed)


def draw(rng: random.Random, side: Side) -> Case:
    """One case in words, with its gold reasoning and answer."""
    facts = draw_facts(rng, side)
    family = rng.choice(on_side(FAMILIES, side))
    ward, lab = sentences(facts, family, rng)
    together = [*ward]
    together.insert(rng.randrange(1, len(ward) + 1), lab)
    text = rng.choice((" ".join(together), join_notes(_notes(ward, lab, rng), rng, side)))
    text = typing_errors(abbreviate(text, rng, keep=("days", "hours", "weeks")), rng, keep=_KEEP)
    return Case(pattern(facts), family.name, {"note": text}, reasoning(facts), person=f"{facts.sex} {facts.age}")


def draw_facts(rng: random.Random, side: Side) -> Facts:
    """Facts whose pattern belongs to `side`."""
    answer = rng.choice(ANSWERS)
    while True:
        facts = _draw_facts(rng, answer)
        if years_answer(facts) == answer and _side(facts) == side:
            return facts


def pattern(facts: Facts) -> str:
    """What is true of the patient, numbers set aside: two cases of one pattern differ only in detail."""
    drug = facts.anticoagulant
    if drug is None:
        thinner = "no anticoagulant"
    else:
        thinner = (
            f"{'treatment' if drug.therapeutic else 'prophylaxis'} {'a day or more' if drug.hours >= 24 else 'new'}"
        )
    return "; ".join(
        (
            reason_outside(facts) or "applies",
            "+".join(items(facts)) or "no item",
            _band(facts.d_dimer),
            thinner,
            facts.pregnancy or "no word of pregnancy",
        )
    )


def _band(d_dimer: int | None) -> str:
    if d_dimer is None:
        return "not measured"
    return "low" if d_dimer < CUTOFF_ITEM else "between" if d_dimer < CUTOFF_NO_ITEM else "high"


def _side(facts: Facts) -> Side:
    """A quarter of all patterns, told by their name, is for test."""
    return "test" if crc32(pattern(facts).encode()) % 4 == 0 else "train"


def _notes(ward: list[str], lab: str, rng: random.Random) -> list[tuple[NoteKind, str]]:
    """The laboratory's note beside one or two of the ward."""
    half = rng.choice((0, rng.randrange(2, len(ward))))
    return [("nurse", " ".join(ward[:half])), ("doctor", " ".join(ward[half:])), ("lab", lab)]


def _draw_facts(rng: random.Random, answer: str) -> Facts:
    """Facts that are likely, not certain, to lead to `answer`."""
    unmeasured = answer == MEASURE or (answer == OUTSIDE and rng.random() < 0.3)
    facts = _inside(rng, None if unmeasured else _d_dimer(rng))
    return _put_outside(facts, rng) if answer == OUTSIDE else facts


def _inside(rng: random.Random, d_dimer: int | None) -> Facts:
    """An adult to whom the rule applies, often only just."""
    found = set(rng.choice(((), rng.sample(range(3), 1), rng.sample(range(3), 1), rng.sample(range(3), 2))))
    sex: Sex = rng.choice(("female", "male"))
    age = rng.choice((rng.randint(18, 45), rng.randint(18, 90), rng.choice((18, 18, 19))))
    return Facts(
        age=age,
        sex=sex,
        leg_signs=0 in found,
        haemoptysis=1 in found,
        embolism_likeliest=2 in found,
        d_dimer=d_dimer,
        unit=rng.choice(list(PER_UNIT)),
        systolic=rng.choice((rng.randint(90, 98), rng.randint(100, 165), rng.randint(100, 165))),
        anticoagulant=_harmless_drug(rng),
        pregnancy=_harmless_pregnancy(rng) if sex == "female" and age <= 45 else None,
        months_to_live=rng.choice((None,) * 11 + (6,)),
    )


def _d_dimer(rng: random.Random) -> int:
    """In ng/mL FEU, a multiple of 10: most lie between the cut-offs or next to one."""
    between = rng.randint(51, 98) * 10
    edge = rng.choice((490, 500, 990, 1000))
    outside = rng.choice((rng.randint(15, 48) * 10, rng.randint(101, 380) * 10))
    return rng.choice((between, between, edge, outside))


def _harmless_drug(rng: random.Random) -> Anticoagulant | None:
    """None, a prophylactic dose of any age, or a treatment begun less than a day ago."""
    name = rng.choice(_TREATMENTS)
    prophylaxis = Anticoagulant(name, therapeutic=False, hours=_long_ago(rng))
    fresh = Anticoagulant(name, therapeutic=True, hours=rng.randint(2, 22))
    return rng.choice((None, None, None, prophylaxis, prophylaxis, fresh))


def _long_ago(rng: random.Random) -> int:
    return rng.choice((24, 26, 30, 36, 24 * rng.randint(2, 40)))


def _harmless_pregnancy(rng: random.Random) -> Pregnancy | None:
    return rng.choice((None, "not pregnant", "not pregnant", "gave birth"))


def _put_outside(facts: Facts, rng: random.Random) -> Facts:
    """The same patient with one fact that keeps the rule from applying."""
    why = rng.choice(("drug", "drug", "drug", "pregnant", "pregnant", "unstable", "young", "dying"))
    if why == "drug":
        drug = Anticoagulant(rng.choice(_TREATMENTS), therapeutic=True, hours=_long_ago(rng))
        return replace(facts, anticoagulant=drug)
    if why == "pregnant":
        return replace(facts, sex="female", age=rng.randint(18, 45), pregnancy="pregnant")
    if why == "unstable":
        return replace(facts, systolic=rng.choice((rng.randint(84, 89), rng.randint(66, 89))))
    if why == "young":
        return replace(facts, age=rng.choice((17, 17, 16, 15)), pregnancy=None)
    return replace(facts, months_to_live=rng.choice((1, 2)))
