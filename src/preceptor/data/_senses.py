"""Which senses of short forms are told apart, and how many cases of each are learned from.

What is chosen is chosen on training cases. Numbers of the algorithm: MeDAL (arXiv 2012.13978), section 3.2.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from preceptor.data._reverse_substitution import Substituted, find_long_forms
from preceptor.data._short_forms import ShortForms

NAMED = 20
"""How many of the commonest senses a report names."""


@dataclass(frozen=True)
class Senses:
    """The senses that are told apart, each long form with its short form, in order; `counts` has how many training
    cases each has, of which `commonest` is made.
    """

    short_of: Mapping[str, str]
    counts: Mapping[str, int]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The senses; the number of each is its place."""
        return tuple(self.short_of)

    @cached_property
    def number(self) -> Mapping[str, int]:
        """Sense -> its number."""
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def candidates(self) -> tuple[tuple[int, ...], ...]:
        """For each sense, the numbers of all senses of its short form, itself among them."""
        of_short: dict[str, list[int]] = {}
        for number, name in enumerate(self.names):
            of_short.setdefault(self.short_of[name], []).append(number)
        return tuple(tuple(of_short[self.short_of[name]]) for name in self.names)

    @cached_property
    def commonest(self) -> tuple[int, ...]:
        """For each sense, the number of the commonest sense of its short form in training; of equals the first."""
        return tuple(max(own, key=lambda one: self.counts[self.names[one]]) for own in self.candidates)

    def named(self) -> list[tuple[str, str, int]]:
        """(short form, sense, training cases) of the commonest senses."""
        order = sorted(self.names, key=lambda name: (-self.counts[name], name))
        return [(self.short_of[name], name, self.counts[name]) for name in order[:NAMED]]


def choose_senses(train: Sequence[Substituted], least: int) -> Senses:
    """The senses with at least so many training cases, of short forms that have two or more such senses."""
    counts = Counter(one.sense for one in train)
    enough = {one.sense: one.short for one in train if counts[one.sense] >= least}
    several = Counter(enough.values())
    kept = {sense: short for sense, short in sorted(enough.items()) if several[short] > 1}
    return Senses(kept, {sense: counts[sense] for sense in kept})


def could_be_told_apart(texts: Iterable[str], forms: ShortForms, least: int) -> bool:
    """Whether two senses of a short form stand so many times each in all texts together, written as long forms. Where
    not, `choose_senses` finds none in any part of them. Reading ends where it is known.
    """
    counts, enough = Counter[str](), Counter[str]()
    for text in texts:
        for _, _, long in find_long_forms(text, forms):
            counts[long] += 1
            enough[forms.short_of[long]] += counts[long] == least
            if enough[forms.short_of[long]] > 1:
                return True
    return False


def left_out_by(senses: Senses, cases: Sequence[Substituted], least: int) -> dict[str, int]:
    """How many training cases are of no sense that is told apart: of senses that are too rare, and of those that are
    frequent enough and whose short form has no other such sense.
    """
    counts = Counter(one.sense for one in cases)
    out = [counts[one.sense] < least for one in cases if one.sense not in senses.number]
    return {"rare": sum(out), "only_sense": len(out) - sum(out)}


def most_of_a_sense(frequencies: Collection[int], total: int) -> int:
    """T, the most cases of a sense, so that about `total` cases are left: algorithm 1 of the paper.

    Senses by rising frequency: one with less than its share r = round(N / L) of what is still wanted keeps all its
    cases, and the others share the rest; at the first that has its share or more, T = r + 1. The share is worked out
    before the sense itself is taken off, without which one large step between two frequencies gives a negative T. The
    largest frequency, where all are wanted.
    """
    wanted, senses = total, len(frequencies)
    for frequency in sorted(frequencies):
        share = round(wanted / senses)
        if frequency >= share:
            return max(share, 0) + 1
        wanted, senses = wanted - frequency, senses - 1
    return max(frequencies, default=0)


def at_most(cases: Sequence[Substituted], most: int, seed: int) -> list[Substituted]:
    """At most so many cases of each sense, drawn by the seed, in the order of the cases."""
    taken: list[int] = []
    by_sense: dict[str, list[int]] = {}
    for number, one in enumerate(cases):
        by_sense.setdefault(one.sense, []).append(number)
    for sense, numbers in by_sense.items():
        taken += random.Random(f"{seed} {sense}").sample(numbers, min(most, len(numbers)))
    return [cases[number] for number in sorted(taken)]
