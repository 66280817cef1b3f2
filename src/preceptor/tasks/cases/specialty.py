"""Cases for `specialty`: a clinic's letter, and keywords that somebody who knew the specialty wrote of it.

As in MTSamples, the first keyword is the label itself. The others are of the letter: of its own problem, and of one of
another specialty in the patient's past, which the letter tells in as many words. So letter and keywords say the same,
and neither settles every case; what keywords seem to add is the label. A fact pattern is a problem.
"""

import random

from preceptor.tasks._example import Example
from preceptor.tasks.cases import _specialty_wording as say
from preceptor.tasks.cases._specialty_content import CONTENT, Content
from preceptor.tasks.cases._wording import Case, Side, assemble, on_side

SPECIALTIES = tuple(CONTENT)

_LABEL_STANDS_THERE = 0.15
"""The share of letters that name their specialty by right, as real ones may."""
_NEUTRAL = 12
"""Sentences of a letter that any clinic would write."""
_OWN, _PAST = 4, 3
"""Terms that are told of the letter's own problem, and of that of the past."""


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases with fields `note` and `keywords`; the target is one of eight specialties."""
    return assemble("specialty", draw, count, seed)


def draw(rng: random.Random, side: Side) -> Case:
    """One letter of one side; the specialties are equally likely."""
    label, other = rng.sample(SPECIALTIES, 2)
    problem = rng.choice(on_side(CONTENT[label].problems, side))
    own = _terms(CONTENT[label], problem, _OWN, rng)
    past = _terms(CONTENT[other], rng.choice(on_side(CONTENT[other].problems, side)), _PAST, rng)
    sex, age = rng.choice("FM"), rng.randint(25, 85)
    who = rng.choice(say.WHO[side]).format(age=age, person=rng.choice(say.PERSON[sex]))
    told = [who, *_told(own, past, rng, side)]
    if rng.random() < _LABEL_STANDS_THERE:
        told.append(say.CLINIC[side].format(label=label.capitalize()))
    layout = rng.choice(say.LAYOUTS[side])
    fields = {"note": _laid_out(layout, told, rng, side), "keywords": _keywords(label, own, past, rng)}
    return Case(f"{label}: {problem}", layout, fields, label, person=f"{sex}{age}")


def _terms(content: Content, problem: str, count: int, rng: random.Random) -> dict[str, str]:
    """So many of the kinds of terms that one patient has of a specialty."""
    terms = {
        "problem": problem,
        "symptom": rng.choice(content.symptoms),
        "finding": rng.choice(content.findings),
        "test": rng.choice(content.tests),
        "treatment": rng.choice(content.treatments),
    }
    return {kind: terms[kind] for kind in rng.sample(list(terms), count)}


def _told(own: dict[str, str], past: dict[str, str], rng: random.Random, side: Side) -> list[str]:
    """A sentence for each term of the letter's own problem, and one for those of the past."""
    time = rng.choice(say.TIME)
    told = [rng.choice(say.TOLD[kind][side]).format(term=term, time=time) for kind, term in own.items()]
    told.append(rng.choice(say.PAST[side]).format(terms=", ".join(past.values())))
    return [f"{sentence[0].upper()}{sentence[1:]}" for sentence in told]


def _laid_out(layout: str, told: list[str], rng: random.Random, side: Side) -> str:
    """The sentences in one of the layouts; what is said of anybody stands between the rest."""
    numbers = {"systolic": rng.randint(105, 160), "diastolic": rng.randint(60, 95), "weight": rng.randint(50, 105)}
    story = list(told)
    for sentence in rng.sample(say.ANYBODY[side], _NEUTRAL):
        story.insert(rng.randint(1, len(story)), sentence.format(**numbers))
    half = len(story) // 2
    match layout:
        case "letter":
            return f"Dear colleague,\n{' '.join(story)}\nYours sincerely"
        case "headed note" | "summary with headings":
            heads = ("HISTORY:", "ASSESSMENT AND PLAN:") if layout == "headed note" else ("STORY", "CONCLUSION")
            return f"{heads[0]} {' '.join(story[:half])}\n{heads[1]} {' '.join(story[half:])}"
        case _:
            return " ".join(story)


def _keywords(label: str, own: dict[str, str], past: dict[str, str], rng: random.Random) -> str:
    """The label, then all terms of the letter in any order."""
    terms = [*own.values(), *past.values()]
    rng.shuffle(terms)
    return ", ".join([label, *terms])
