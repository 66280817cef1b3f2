"""Cases for `abbreviations`: a clinic's letter full of terms that doctors shorten, each short form of several of them.

A letter tells of three terms of one specialty and, in the patient's past, of two of another. Beside each term stands
something else of its specialty, so that what a short form means can be told from the words around it. Both specialties
are told in as many words but for the number of terms. A fact pattern is what the patient came with.
"""

import random

from preceptor.tasks._example import Example
from preceptor.tasks.cases import _abbreviations_wording as say
from preceptor.tasks.cases._specialty_content import CONTENT, Content
from preceptor.tasks.cases._specialty_wording import ANYBODY, PERSON, TIME, WHO
from preceptor.tasks.cases._wording import Case, Side, assemble, on_side

_OWN, _PAST = 3, 2
"""Terms of the letter's own specialty, and of that of the past."""
_NEUTRAL = 3
"""Sentences that any clinic would write."""


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases with the field `letter`; the target is one of six specialties."""
    return assemble("abbreviations", draw, count, seed)


def draw(rng: random.Random, side: Side) -> Case:
    """One letter of one side; the specialties are equally likely."""
    label, other = rng.sample(list(say.TERMS), 2)
    complaint = rng.choice(on_side(CONTENT[label].symptoms, side))
    sex, age = rng.choice("FM"), rng.randint(25, 85)
    who = rng.choice(WHO[side]).format(age=age, person=rng.choice(PERSON[sex]))
    told = [who, rng.choice(say.CAME[side]).format(complaint=complaint, time=rng.choice(TIME))]
    told += [_told(term, CONTENT[label], rng, say.TOLD[side]) for term in rng.sample(say.TERMS[label], _OWN)]
    told += [_told(term, CONTENT[other], rng, say.PAST[side]) for term in rng.sample(say.TERMS[other], _PAST)]
    layout = rng.choice(say.LAYOUTS[side])
    letter = say.LAID_OUT[layout].format(story=" ".join(_with_neutral(told, rng, side)))
    return Case(f"{label}: {complaint}", layout, {"letter": letter}, label, person=f"{sex}{age}")


def _told(term: str, content: Content, rng: random.Random, sentences: tuple[str, ...]) -> str:
    """A sentence that has the term beside something else of its specialty."""
    beside = {
        "finding": rng.choice(content.findings),
        "test": rng.choice(content.tests),
        "treatment": rng.choice(content.treatments),
    }
    sentence = rng.choice(sentences).format(term=term, **beside)
    return f"{sentence[0].upper()}{sentence[1:]}"


def _with_neutral(told: list[str], rng: random.Random, side: Side) -> list[str]:
    """The story with what is said of anybody between the rest."""
    numbers = {"systolic": rng.randint(105, 160), "diastolic": rng.randint(60, 95), "weight": rng.randint(50, 105)}
    story = list(told)
    for sentence in rng.sample(ANYBODY[side], _NEUTRAL):
        story.insert(rng.randint(2, len(story)), sentence.format(**numbers))
    return story
