"""Reverse substitution: long forms in texts are replaced by their short forms, so that what these mean is known.

MeDAL (Wen, Lu & Reddy 2020, arXiv 2012.13978), section 3. No labels are needed: any texts give cases.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from preceptor.data._short_forms import ShortForms, words_of
from preceptor.files import digest


@dataclass(frozen=True, slots=True, repr=False)
class Substituted:
    """A short form in a text. start, end: its characters there. sense: the long form that it stands for, as the table
    writes it. group: the text's. written_out: whether the words of the sense stand elsewhere in the text.
    """

    text: str
    start: int
    end: int
    sense: str
    group: str
    written_out: bool

    @property
    def short(self) -> str:
        """The short form."""
        return self.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Substitution:
    """cases: every short form that was put into a text. found: long forms in the texts. stopped: how many of them were
    on the stop list, and stay.
    """

    cases: list[Substituted] = field(repr=False)
    found: int
    stopped: int


def find_long_forms(text: str, forms: ShortForms) -> list[tuple[int, int, str]]:
    """(start, end, long form) of each long form in a text, from left to right; where several begin, the longest.

    Whole words, case and the space between them aside. None overlaps another.
    """
    words, found, at = list(words_of(text)), list[tuple[int, int, str]](), 0
    plain = tuple(word for word, _, _ in words)
    while at < len(words):
        candidates = forms.by_first_word.get(plain[at], ())
        match = next((one for one in candidates if plain[at : at + len(one[0])] == one[0]), None)
        if match is None:
            at += 1
            continue
        found.append((words[at][1], words[at + len(match[0]) - 1][2], match[1]))
        at += len(match[0])
    return found


def substitute(
    texts: Sequence[tuple[str, str]],
    forms: ShortForms,
    probability: float,
    *,
    stop: Collection[str] = (),
    seed: int = 0,
) -> Substitution:
    """Replace each long form by its short form with a probability, and make a case of each that was.

    texts: (group, text). stop: short and long forms, in lower case, that are left as they are. What is drawn in a text
    depends on that text and the seed alone, not on others.
    """
    cases, stopped_forms = list[Substituted](), frozenset(stop)
    found = stopped = 0
    for group, text in texts:
        draw = random.Random(digest([seed, text]))
        matches = find_long_forms(text, forms)
        free = [one for one in matches if not _names(one[2], forms) & stopped_forms]
        found, stopped = found + len(matches), stopped + len(matches) - len(free)
        cases += _replaced(group, text, [one for one in free if draw.random() < probability], forms)
    return Substitution(cases, found, stopped)


def _names(long: str, forms: ShortForms) -> set[str]:
    return {long.casefold(), forms.short_of[long].casefold()}


def _replaced(group: str, text: str, chosen: Sequence[tuple[int, int, str]], forms: ShortForms) -> list[Substituted]:
    """The cases of one text, all of whose chosen long forms are replaced."""
    parts, spans, length, at = list[str](), list[tuple[int, int, str]](), 0, 0
    for start, end, long in chosen:
        short = forms.short_of[long]
        parts += [text[at:start], short]
        length += start - at
        spans.append((length, length + len(short), long))
        length, at = length + len(short), end
    whole = "".join([*parts, text[at:]])
    words = _joined(whole)
    return [Substituted(whole, start, end, long, group, _joined(long) in words) for start, end, long in spans]


def _joined(text: str) -> str:
    """The words of a text, each between spaces."""
    return f" {' '.join(word for word, _, _ in words_of(text))} "
