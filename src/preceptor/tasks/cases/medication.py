"""Cases for `medication`: patients with one to four visits; asked are the drugs of the last one.

A visit has diagnoses, procedures and drugs. A chronic disease stays from its first visit on, an acute one goes. Each
disease has six names that share words, each in ten grades; a grade of a name is a code. So a code repeats rarely, and
of a name that training never showed its words are known. A fact pattern is the chronic diseases of a patient.

Age and sex go with the chronic diseases, and no drug goes with them but by these. No text tells them.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod

from preceptor.tasks._example import Example
from preceptor.tasks._visits import read_visits, write_visits
from preceptor.tasks.cases import _medication_wording as say
from preceptor.tasks.cases._medication_content import ACUTE, AGES, CHRONIC, DRUGS, GRADES, PROCEDURES, SHUN, WHO
from preceptor.tasks.cases._wording import Case, Side, assemble, on_side

PATTERNS = tuple(some for size in (2, 3) for some in combinations(CHRONIC, size))
DISEASES = CHRONIC | ACUTE
_TITLES = {f"{name}{grade}": disease for disease, one in DISEASES.items() for name in one.names for grade in GRADES}
CODES = {title: f"D{number:03d}" for number, title in enumerate(_TITLES)}
"""The title of a diagnosis -> its code."""
_DISEASE_OF = {CODES[title]: disease for title, disease in _TITLES.items()}
_PROCEDURE_CODES = {name: f"P{number}" for number, name in enumerate(PROCEDURES)}

_VISITS = (1, 2, 3, 4)
_HOW_OFTEN = (0.3, 0.3, 0.2, 0.2)
_ACUTE, _PROCEDURE, _NEW = 0.6, 0.4, 0.4
"""How likely a visit has an acute disease and a procedure, and an earlier visit lacks a chronic disease yet."""


@dataclass(frozen=True, slots=True)
class Visit:
    """The diseases and procedures of a visit. `drugs` follow from them and from the visits before."""

    diseases: tuple[str, ...]
    procedures: tuple[str, ...]
    drugs: tuple[str, ...]


def generate(count: int, seed: int) -> list[Example]:
    """`count` patients with fields `history`, `present` and `visits`; the target is the set of the drugs given now.

    Results may be broken down by whether it is a patient's first visit, by sex and by age.
    """
    made = assemble("medication", draw, count, seed)
    return [replace(one, metadata=_subgroups(one.fields["visits"], f"{one.id} {seed}")) for one in made]


def prescribed(diseases: Collection[str], procedures: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    """The drugs of a visit, in alphabetical order; known: the diseases of earlier visits."""
    given = {drug for disease in diseases for drug in DISEASES[disease].first}
    given |= {drug for disease in diseases if disease in known for drug in DISEASES[disease].second}
    given |= {drug for procedure in procedures for drug in PROCEDURES[procedure]}
    there = {*diseases, *procedures}
    allowed = {SHUN[drug][1] if drug in SHUN and SHUN[drug][0] in there else drug for drug in given}
    return tuple(sorted(allowed, key=DRUGS.index))


def draw(rng: random.Random, side: Side) -> Case:
    """One patient of one side."""
    chronic = rng.choice(on_side(PATTERNS, side))
    visits = _visits(chronic, rng)
    titles = {one: f"{rng.choice(DISEASES[one].names)}{rng.choice(GRADES)}" for one in DISEASES}
    layout = rng.choice(say.LAYOUTS[side])

    def told(number: int, visit: Visit, *, now: bool) -> str:
        diagnoses = [titles[disease] for disease in visit.diseases]
        return say.by_names(layout, number, diagnoses, visit.procedures, None if now else visit.drugs)

    def coded(visit: Visit, *, now: bool) -> dict[str, Sequence[str]]:
        diagnoses = [CODES[titles[disease]] for disease in visit.diseases]
        procedures = [_PROCEDURE_CODES[one] for one in visit.procedures]
        return {"D": diagnoses, "P": procedures, "M": () if now else visit.drugs}

    *earlier, last = visits
    fields = {
        "history": "\n".join(told(n, one, now=False) for n, one in enumerate(earlier, 1)) or say.FIRST,
        "present": told(len(visits), last, now=True),
        "visits": write_visits([*(coded(one, now=False) for one in earlier), coded(last, now=True)]),
    }
    # Nobody is the same person as anybody else: a case is all that there is of a patient.
    person = str(rng.getrandbits(64))
    return Case("+".join(chronic), layout, fields, "; ".join(last.drugs), person)


def _subgroups(visits: str, seed: str) -> dict[str, str]:
    """Sex and age are drawn by themselves, so that the cases are what they are without them."""
    rng = random.Random(seed)
    *earlier, present = read_visits(visits)
    chronic = {_DISEASE_OF[code] for code in present["D"]} & WHO.keys()
    ages = [prod(WHO[one][0][age] for one in chronic) for age in range(len(AGES))]
    women, men = prod(WHO[one][1] for one in chronic), prod(1 - WHO[one][1] for one in chronic)
    (age,) = rng.choices(AGES, ages)
    sex = "woman" if rng.random() < women / (women + men) else "man"
    return {"visit": "later" if earlier else "first", "sex": sex, "age": age}


def _visits(chronic: tuple[str, ...], rng: random.Random) -> list[Visit]:
    """In the order of their dates; at the last one all chronic diseases are there, at the first one at least one."""
    (count,) = rng.choices(_VISITS, _HOW_OFTEN)
    begins = dict.fromkeys(chronic, 0) if count == 1 else {one: _begin(count, rng) for one in chronic}
    begins[rng.choice(chronic)] = 0
    visits: list[Visit] = []
    for number in range(count):
        here = [one for one in chronic if begins[one] <= number]
        acute = [rng.choice(list(ACUTE))] if rng.random() < _ACUTE else []
        procedures = [rng.choice(list(PROCEDURES))] if rng.random() < _PROCEDURE else []
        known = {disease for visit in visits for disease in visit.diseases}
        diseases = rng.sample([*here, *acute], len(here) + len(acute))
        visits.append(Visit(tuple(diseases), tuple(procedures), prescribed(diseases, procedures, known)))
    return visits


def _begin(count: int, rng: random.Random) -> int:
    """The visit from which on a disease is there, counted from 0."""
    return rng.randrange(1, count) if rng.random() < _NEW else 0
