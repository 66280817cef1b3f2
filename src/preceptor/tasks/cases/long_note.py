"""Cases for `long_note`: a note of 1,200 to 2,000 words, in which one sentence says whether the patient smokes.

All else is what any long stay in hospital is written up with, and sentences on smoking that are not about the patient:
those of the family say every status, whatever the patient's is. The sentence that decides is kept as `evidence`. In 70%
of the notes it stands behind the 512th word, so behind any encoder's 512th token; else it is among the first 280. A
fact pattern is a label with the sentence that says it.
"""

import random
import re

from preceptor.tasks._example import Example
from preceptor.tasks._task import PLACEHOLDER
from preceptor.tasks.cases import _long_note_wording as say
from preceptor.tasks.cases._long_note_smoking import DECIDING, OF_OTHERS, OF_THINGS
from preceptor.tasks.cases._wording import Case, Side, assemble

STATUS = tuple(DECIDING)

FIRST_TOKENS = 512
"""What encoders commonly have positions for; a token is a word at most, so a word behind it is one too."""
_EARLY = 280
"""So many words are fewer than 512 tokens."""
_BEHIND = 0.7
_FEWEST, _MOST = 1230, 1850
"""Words without the sentences on smoking."""
_OTHERS, _THINGS = 3, 2
"""Sentences on smoking that are of others in the family, and of no person's habit."""

Paragraphs = list[list[str]]


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases with fields `note` and `evidence`; the target is one of four labels."""
    return assemble("long_note", draw, count, seed)


def draw(rng: random.Random, side: Side) -> Case:
    """One note of one side; the labels are equally likely."""
    label, sex, age = rng.choice(STATUS), rng.choice("FM"), rng.randint(40, 88)
    decides = rng.choice(DECIDING[label][side])
    evidence = _filled(decides, rng, sex)
    layout = rng.choice(say.LAYOUTS[side])
    told = _neutral(layout, rng, side, sex, age)
    near = [*rng.sample(OF_OTHERS[side], _OTHERS), *rng.sample(OF_THINGS[side], _THINGS)]
    for sentence in near:
        _insert(told, rng.choice(_places(told)), _filled(sentence, rng, sex))
    behind = rng.random() < _BEHIND
    places = [
        (at, words) for at, words in _places_with_words(told) if (words >= FIRST_TOKENS if behind else words < _EARLY)
    ]
    _insert(told, rng.choice(places)[0], evidence)
    fields = {"note": "\n".join(" ".join(one) for one in told), "evidence": evidence}
    return Case(f"{label}: {decides}", layout, fields, label, person=f"{sex}{age}")


def _neutral(layout: str, rng: random.Random, side: Side, sex: str, age: int) -> Paragraphs:
    """The note without a word on smoking."""
    history = [_filled(one, rng, sex) for one in rng.sample(say.HISTORY[side], 9)]
    plan = [_filled(one, rng, sex) for one in rng.sample(say.PLAN[side], 4)]
    wanted = rng.randint(_FEWEST, _MOST) - sum(len(one.split()) for one in (*history, *plan))
    course, day = Paragraphs(), 3
    while wanted > 0 or not course:
        begins = rng.choice(say.DAYS[side]).format(day=day)
        first, *rest = (_filled(one, rng, sex) for one in rng.sample(say.COURSE[side], rng.randint(3, 6)))
        course.append([f"{begins} {first}", *(f"{one[0].upper()}{one[1:]}" for one in rest)])
        wanted -= sum(len(one.split()) for one in course[-1])
        day += 1
    person = rng.choice(say.PERSONS[sex])
    opening = rng.choice(say.OPENINGS[side]).format(
        age=age, person=person, Person=person.capitalize(), stay=day, reason=rng.choice(say.REASONS)
    )
    heads = (
        [[head] for head in say.HEADS[side]] if layout not in ("summary in paragraphs", "ward report") else [[], [], []]
    )
    parts = [[opening], heads[0], history, heads[1], *course, heads[2], plan]
    return [part for part in parts if part]


def _filled(template: str, rng: random.Random, sex: str) -> str:
    """A template with its slots filled, each drawn anew."""

    def fill(hit: re.Match[str]) -> str:
        name = hit[1]
        if name in say.PRONOUNS[sex]:
            return say.PRONOUNS[sex][name]
        if name in say.SLOTS:
            return rng.choice(say.SLOTS[name])
        if name in say.DECIMALS:
            return f"{rng.randint(*say.DECIMALS[name]) / 10:.1f}"
        return str(rng.randint(*say.NUMBERS[name]))

    return PLACEHOLDER.sub(fill, template)


def _places_with_words(told: Paragraphs) -> list[tuple[tuple[int, int], int]]:
    """Where a sentence may be put in, (paragraph, number of the sentence before it), and the words before that; not in
    front of a paragraph's first sentence, which may be a heading.
    """
    places, words = [], 0
    for n, part in enumerate(told):
        for at, sentence in enumerate(part, 1):
            words += len(sentence.split())
            if len(part) > 1:
                places.append(((n, at), words))
    return places


def _places(told: Paragraphs) -> list[tuple[int, int]]:
    return [at for at, _ in _places_with_words(told)]


def _insert(told: Paragraphs, at: tuple[int, int], sentence: str) -> None:
    told[at[0]].insert(at[1], sentence)
