"""Drawing the facts of suspected urinary infections: cases that meet the definition, near misses and far ones."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from preceptor.tasks.cases._suti import TENDERNESS, VOIDING, Catheter, Facts, Organism, Symptom

_BACTERIA = ("E. coli", "Klebsiella pneumoniae", "Proteus mirabilis", "Enterococcus faecalis", "Pseudomonas aeruginosa")
_YEASTS = ("Candida albicans", "Candida glabrata")
_ENOUGH = (100_000, 100_000, 200_000, 500_000, 1_000_000)
_TOO_FEW = (10_000, 20_000, 50_000, 80_000, 90_000)

# Cases that meet the definition, each by one way into it.


def any_met(rng: random.Random) -> Facts:
    return rng.choice((_met_by_fever_1a, _met_by_fever_1a, _met_by_fever_1b, _met_by_tenderness, _met_by_voiding))(rng)


def _met_by_fever_1a(rng: random.Random) -> Facts:
    catheter = Catheter(_over_two_days(rng), rng.choice((0, 0, 1)))
    return _case(rng, _age(rng, "any"), catheter, _fever(rng), ())


def _met_by_fever_1b(rng: random.Random) -> Facts:
    return _case(rng, _age(rng, "younger"), _not_associated(rng), _fever(rng), ())


def _met_by_tenderness(rng: random.Random) -> Facts:
    symptoms = rng.sample(TENDERNESS, rng.choice((1, 1, 2)))
    return _case(rng, _age(rng, "any"), _any_catheter(rng), _no_fever(rng), symptoms)


def _met_by_voiding(rng: random.Random) -> Facts:
    catheter = rng.choice((None, Catheter(_any_days(rng), rng.choice((1, 2, 3)))))
    return _case(rng, _age(rng, "any"), catheter, _no_fever(rng), rng.sample(VOIDING, rng.choice((1, 1, 2))))


# Near misses: a case that meets the definition but for one criterion.


def _exactly_38(rng: random.Random) -> Facts:
    facts = rng.choice((_met_by_fever_1a, _met_by_fever_1b))(rng)
    return replace(facts, temperature=rng.choice((38.0, 38.0, 37.9)))


def _three_species(rng: random.Random) -> Facts:
    counts = [rng.choice(_ENOUGH), rng.choice(_ENOUGH + _TOO_FEW), rng.choice(_ENOUGH + _TOO_FEW)]
    rng.shuffle(counts)
    grown = [Organism(name, count) for name, count in zip(rng.sample(_BACTERIA, 3), counts, strict=True)]
    return replace(any_met(rng), organisms=tuple(grown))


def _yeast(rng: random.Random) -> Facts:
    yeast = Organism(rng.choice(_YEASTS), rng.choice(_ENOUGH), bacterium=False)
    beside = rng.choice(([], [Organism(rng.choice(_BACTERIA), rng.choice(_TOO_FEW))]))
    return replace(any_met(rng), organisms=_shuffled(rng, [yeast, *beside]))


def _count_too_low(rng: random.Random) -> Facts:
    names = rng.sample(_BACTERIA, rng.choice((1, 1, 2)))
    return replace(any_met(rng), organisms=tuple(Organism(name, rng.choice(_TOO_FEW)) for name in names))


def _catheter_day_2(rng: random.Random) -> Facts:
    catheter = Catheter(rng.choice((2, 2, 1)), 0)
    return _case(rng, _age(rng, "older"), catheter, _fever(rng), ())


def _voiding_while_catheterised(rng: random.Random) -> Facts:
    return replace(_met_by_voiding(rng), catheter=Catheter(_any_days(rng)))


def _fever_over_65(rng: random.Random) -> Facts:
    return _case(rng, _age(rng, "older"), None, _fever(rng), ())


def _catheter_out_too_long(rng: random.Random) -> Facts:
    catheter = Catheter(_over_two_days(rng), rng.choice((2, 2, 3)))
    return _case(rng, _age(rng, "older"), catheter, _fever(rng), ())


def _outside_window(rng: random.Random) -> Facts:
    return replace(any_met(rng), culture_after=rng.choice((-1, 1)) * rng.choice((4, 4, 5, 6)))


def _symptoms_denied(rng: random.Random) -> Facts:
    facts = rng.choice((_met_by_tenderness, _met_by_voiding))(rng)
    return replace(facts, present=frozenset(), denied=facts.present | facts.denied)


NEAR_MISSES: dict[str, Callable[[random.Random], Facts]] = {
    "exactly 38.0": _exactly_38,
    "three species": _three_species,
    "yeast": _yeast,
    "count too low": _count_too_low,
    "catheter on day 2": _catheter_day_2,
    "voiding symptom while catheterised": _voiding_while_catheterised,
    "fever alone over 65": _fever_over_65,
    "catheter out too long": _catheter_out_too_long,
    "outside the window": _outside_window,
    "symptoms denied": _symptoms_denied,
}


_CULTURE_MISSES = ("three species", "yeast", "count too low")


def any_near_miss(rng: random.Random) -> str:
    """The culture fails as often as the symptoms do, though it has fewer ways to."""
    return rng.choice((*NEAR_MISSES, *_CULTURE_MISSES, *_CULTURE_MISSES))


def far_miss(rng: random.Random) -> Facts:
    """Neither a symptom that counts nor a culture that does."""
    return replace(_symptoms_denied(rng), organisms=rng.choice((_three_species, _yeast, _count_too_low))(rng).organisms)


# The single facts, drawn often close to their limits.


def _case(
    rng: random.Random, age: int, catheter: Catheter | None, temperature: float, present: Sequence[Symptom]
) -> Facts:
    """Facts with a culture that counts, inside the window, and up to three symptoms spoken of."""
    others = [symptom for symptom in TENDERNESS + VOIDING if symptom not in present]
    denied = rng.sample(others, max(1, rng.choice((2, 3)) - len(present)))
    return Facts(
        age=age,
        sex=rng.choice(("female", "male")),
        temperature=temperature,
        catheter=catheter,
        present=frozenset(present),
        denied=frozenset(denied),
        organisms=_growth(rng),
        culture_after=rng.choice((0, 0, 1, 2, 3, -1, -2, -3)),
    )


def _growth(rng: random.Random) -> tuple[Organism, ...]:
    """A bacterium that counts, often beside a second species."""
    first, second = rng.sample(_BACTERIA, 2)
    beside = rng.choice(
        (
            [],
            [Organism(second, rng.choice(_ENOUGH + _TOO_FEW))],
            [Organism(rng.choice(_YEASTS), rng.choice(_ENOUGH), bacterium=False)],
        )
    )
    return _shuffled(rng, [Organism(first, rng.choice(_ENOUGH)), *beside])


def _shuffled(rng: random.Random, organisms: list[Organism]) -> tuple[Organism, ...]:
    return tuple(rng.sample(organisms, len(organisms)))


def _age(rng: random.Random, which: Literal["younger", "older", "any"]) -> int:
    """Younger: up to 65 years. A third stand within three years of the limit."""
    if which == "any":
        which = rng.choice(("younger", "older"))
    if which == "younger":
        return rng.choice((rng.randint(19, 65), rng.randint(19, 65), rng.randint(63, 65)))
    return rng.choice((rng.randint(66, 93), rng.randint(66, 93), rng.randint(66, 68)))


def _fever(rng: random.Random) -> float:
    return rng.choice((38.1, 38.2, rng.randint(381, 395) / 10))


def _no_fever(rng: random.Random) -> float:
    return rng.choice((38.0, 37.9, rng.randint(363, 380) / 10))


def _over_two_days(rng: random.Random) -> int:
    return rng.choice((3, 3, 4, rng.randint(3, 11)))


def _any_days(rng: random.Random) -> int:
    return rng.choice((1, 2, 2, _over_two_days(rng), _over_two_days(rng), _over_two_days(rng)))


def _any_catheter(rng: random.Random) -> Catheter | None:
    return rng.choice((None, Catheter(_any_days(rng), rng.choice((0, 0, 1, 2)))))


def _not_associated(rng: random.Random) -> Catheter | None:
    """Any state in which the infection is not the catheter's."""
    return rng.choice((None, Catheter(rng.choice((1, 2, 2)), 0), Catheter(_over_two_days(rng), rng.choice((2, 3)))))
