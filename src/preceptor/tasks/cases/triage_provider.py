"""Cases for `triage_provider`: a patient's message, and who should see the patient by the rules of `_provider`.

A fact pattern is a problem with the criterion that decides or is just missed (`_triage_provider_patterns`); each
answer's patterns are dealt out to train and test. Tone and background are drawn without regard to the answer.
"""

import random

from preceptor.tasks._example import Example
from preceptor.tasks.cases import _triage_provider_wording as say
from preceptor.tasks.cases._provider import PHARMACY_FIRST, Facts, provider
from preceptor.tasks.cases._triage_provider_patterns import Pattern, by_provider, signs_of
from preceptor.tasks.cases._triage_provider_problems import PROBLEMS
from preceptor.tasks.cases._triage_provider_signs import SIGNS
from preceptor.tasks.cases._wording import Case, Side, assemble, on_side, typing_errors

CHILD_UNTIL = 16
"""Years; below this a parent writes."""

_PATTERNS = by_provider()
_ANYONE = ("new confusion", "blotchy skin", "fighting for breath")
"""Signs to deny where the problem has too few of its own."""
_KEEP = ("pregnant", "pregnancy", "daughter", "sister", "husband", "brother", "message")


def generate(count: int, seed: int) -> list[Example]:
    """`count` distinct cases with field `message`; the target is one of the five answers of the task."""
    return assemble("triage_provider", draw, count, seed)


def draw(rng: random.Random, side: Side) -> Case:
    """One case of one side; the five answers are equally likely."""
    pattern = rng.choice(on_side(_PATTERNS[rng.choice(tuple(_PATTERNS))], side))
    return tell(pattern, draw_facts(pattern, rng), rng, side)


def draw_facts(pattern: Pattern, rng: random.Random) -> Facts:
    """One patient of a pattern."""
    return Facts(
        pattern.problem, rng.randint(*pattern.ages), rng.choice(pattern.sexes), pattern.pregnant, pattern.signs
    )


def tell(pattern: Pattern, facts: Facts, rng: random.Random, side: Side) -> Case:
    """Write the patient's message in one wording family of `side`; the target comes from the facts alone."""
    layout = rng.choice(say.LAYOUTS[side])
    who, words = _who(facts, rng, side)
    story = [sentence.format(**words) for sentence in _story(facts, rng, side)]
    asides = [rng.choice(bank[side]) for bank in (say.TONE, say.BACKGROUND)]
    message = _lay_out(layout, who, story, asides, rng)
    return Case(
        pattern.name,
        layout,
        {"message": typing_errors(message, rng, keep=_KEEP)},
        provider(facts),
        f"{facts.sex}{facts.age}",
    )


def _who(facts: Facts, rng: random.Random, side: Side) -> tuple[str, dict[str, str]]:
    """The sentence that says who is ill, and the pronouns that go with it."""
    age = {0: f"{rng.randint(4, 11)} months", 1: "1 year"}.get(facts.age, str(facts.age))
    child = facts.age < CHILD_UNTIL
    if child or (facts.age > 24 and rng.random() < 0.2):
        relation = say.CHILD[facts.sex] if child else say.GROWN_UP[side][facts.sex]
        subject, possessive, him = ("she", "her", "her") if facts.sex == "F" else ("he", "his", "him")
        words = {"I": subject, "my": possessive, "me": him, "have": "has", "am": "is"}
        return rng.choice(say.ANOTHER[side]).format(relation=relation, age=age), words
    words = {"I": "I", "my": "my", "me": "me", "have": "have", "am": "am"}
    return rng.choice(say.SELF[side]).format(sex=say.SEX[side][facts.sex], age=age), words


def _story(facts: Facts, rng: random.Random, side: Side) -> list[str]:
    """The problem, every sign there is, and one or two of those there are not."""
    there = [getattr(SIGNS[sign], side) for sign in sorted(facts.signs)]
    absent = [sign for sign in signs_of(facts.problem) if sign not in facts.signs]
    absent += [sign for sign in _ANYONE if sign not in absent and sign not in facts.signs and len(absent) < 2]
    pregnancy = _pregnancy(facts, rng, side)
    # A sign takes about the words of two denials, so that length tells nothing.
    wanted = rng.choice((1, 1, 2) if there else (2, 3, 3)) - len(pregnancy)
    denied = [getattr(SIGNS[sign], f"denied_{side}") for sign in rng.sample(absent, min(wanted, len(absent)))]
    told = [*there, *denied, *pregnancy]
    rng.shuffle(told)
    problem = rng.choice(getattr(PROBLEMS[facts.problem], side))
    return [problem, *told] if rng.random() < 0.7 else [*told[:1], problem, *told[1:]]


def _pregnancy(facts: Facts, rng: random.Random, side: Side) -> list[str]:
    if facts.pregnant:
        return [rng.choice(say.PREGNANT[side])]
    could_be = facts.sex == "F" and CHILD_UNTIL <= facts.age < 50 and facts.problem in PHARMACY_FIRST
    return [rng.choice(say.NOT_PREGNANT[side])] if could_be and rng.random() < 0.6 else []


def _lay_out(layout: str, who: str, story: list[str], asides: list[str], rng: random.Random) -> str:
    """The message: who is ill may come first or later, asides stand anywhere."""
    told = ", ".join(story)
    if layout == "web form":
        lines = [f"Patient: {who}", f"Reason: {told}", f"Notes: {'. '.join(asides)}"]
        rng.shuffle(lines)
        return "\n".join(lines)
    if layout in ("two messages", "message with a second thought"):
        half = rng.randint(1, len(story))
        first, later = [who, ", ".join(story[:half])], [*asides, ", ".join(story[half:])]
        rng.shuffle(first)
        rng.shuffle(later)
        heads = ("1st message: ", "\n2nd: ") if layout == "two messages" else ("", "\nForgot to say: ")
        rest = _sentences(later)
        return heads[0] + _sentences(first) + (heads[1] + rest if rest else "")
    parts = [who, told, *asides]
    rng.shuffle(parts)
    return _sentences(parts)


def _sentences(parts: list[str]) -> str:
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts if part)
