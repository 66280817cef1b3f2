"""Snippets of a note around terms, for a note that is longer than a model reads (after Huang et al. 2020, SnipBERT,
arXiv 2011.06504, whose abstract leaves open how they are found: all of this is ours).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from preceptor.data._problems import short_id
from preceptor.data.fields._windows import Span, Words, windows
from preceptor.errors import InputError, Problem
from preceptor.tasks import Example, Task
from preceptor.text_pieces import join_pieces, without_separator

makes_pieces = True

_WORD = r"[^\W\d_]{2,}"
"""Of terms that are found; numbers are none."""
_FOUND = 30
_FEWEST_TEXTS = 2
_LONGEST_SHOWN = 80
"""Characters of a pattern in a message."""
_HOW = (
    "Words are parted by white space. A sentence begins with the note's first word, with each behind a word that ends "
    "with a sign of .!?:; (and perhaps a closing quote or bracket), and with each on a new line. Terms are patterns of "
    "Python's re, found with case aside, and their hits are taken group by group: within a group those in front first, "
    "of two that begin at one place the shorter. A hit whose words are all in one window already takes no other; else "
    "it takes one, or where `most` are taken there is an end. A window begins `words` words in front of the hit and "
    "ends as many behind it, within the note. Each of its edges moves to the nearest place where a sentence begins or "
    "the note ends, of two the one in front, if that is at most words // 2 words away, and never into the hit. Windows "
    "that overlap are merged. A note without a hit has one window, its first 2 * words + 1 words, whose end moves in "
    "the same way by at most (2 * words + 1) // 4. A snippet is the note's own characters from a window's first word "
    "to its last; snippets stand in the order of the note."
)


class Settings(BaseModel):
    """terms: words or regular expressions, each matched as whole words, case aside; without any, the 30 words and word
    pairs whose TF-IDF differs most between the labels of training notes, by chi-square. words: how many stand on each
    side of a term, about. most: how many windows there are. dated: of a stack of notes, a regular expression with one
    group, the ISO date that each note begins with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: tuple[str, ...] = ()
    words: int = Field(default=20, ge=2)
    most: int = Field(default=8, ge=1)
    dated: str | None = None

    @field_validator("terms")
    @classmethod
    def _terms_can_be_found(cls, terms: tuple[str, ...]) -> tuple[str, ...]:
        for term in terms:
            if _compiled(term).match(""):
                raise ValueError(f"{_shown(term)} is found in every place; write a word, or what stands for one")
            _as_words(term)  # flags such as (?i) can stand in front of a pattern, and in no part of one
        return terms

    @field_validator("dated")
    @classmethod
    def _one_group(cls, dated: str | None) -> str | None:
        if dated is not None and _compiled(dated).groups != 1:
            raise ValueError(r"it needs one group, the date, such as ^(\d{4}-\d{2}-\d{2})")
        return dated


@dataclass(frozen=True, slots=True)
class Snippets:
    """Makes the field. terms: with how many training notes have each."""

    source: str
    settings: Settings
    terms: Sequence[tuple[re.Pattern[str], int]] = field(repr=False)

    def __call__(self, example: Example) -> str:
        """The snippets in the order of the note, joined; the note's beginning where it has no term."""
        words = Words.of(without_separator(example.fields[self.source]))
        return join_pieces(words.written(span) for span in self.spans(words))

    def spans(self, words: Words) -> list[Span]:
        """From which word to which each snippet goes. Hits of the rarest term come first, then those in front."""
        width = self.settings.words
        return windows(words, self._hits(words.text), width, self.settings.most) or [words.first(2 * width + 1)]

    def stated(self) -> dict[str, Any]:
        """What makes them, as JSON values. `terms` are patterns of Python's `re` in groups, those that fewest training
        notes have in front; in how many is not told. `how` says in words what is done with them.
        """
        counts = sorted({count for _, count in self.terms})
        groups = [[term.pattern for term, count in self.terms if count == one] for one in counts]
        sizes = {"words": self.settings.words, "most": self.settings.most}
        return {"of": self.source, "terms": groups, **sizes, "how": _HOW}

    def has_hit(self, example: Example) -> bool:
        """Whether a term stands in the note."""
        return bool(self._hits(without_separator(example.fields[self.source])))

    def _hits(self, note: str) -> list[Span]:
        found = [(count, *hit.span()) for term, count in self.terms for hit in term.finditer(note)]
        return [(start, end) for _, start, end in sorted(found)]


def fit(train: Sequence[Example], source: str, task: Task, settings: Settings) -> Snippets:
    """Snippets around the terms; which are rare, and without the user's own which they are, training notes say.

    Raises `InputError` where terms are to be found and an answer is no label, or no word stands in two notes.
    """
    notes = [without_separator(case.fields[source]) for case in train]
    terms = [_as_words(term) for term in settings.terms] or _telling_terms(notes, train, source, task)
    return Snippets(source, settings, [(term, sum(bool(term.search(note)) for note in notes)) for term in terms])


def from_stated(stated: Mapping[str, Any]) -> Snippets:
    """The same as the `Snippets` that stated it make."""
    terms = [(_compiled(term), place) for place, group in enumerate(stated["terms"]) for term in group]
    return Snippets(stated["of"], Settings(words=stated["words"], most=stated["most"]), terms)


def problems(source: str, settings: Settings, cases: Sequence[Example]) -> Iterator[Problem]:
    """Of a stack of dated notes: cases with a note of a later day than the case's own, which nobody can have read, and
    those in which no note has a date that could be held against it.
    """
    if settings.dated is None:
        return
    head = _compiled(settings.dated, re.MULTILINE)
    for case in cases:
        where = f"case {short_id(case.id)}"
        if case.date is None:
            yield Problem(where, "it has no date to hold those of its notes against", "Name its column as `date:`")
            continue
        try:
            days = [date.fromisoformat(hit[1] or "") for hit in head.finditer(case.fields[source])]
        except ValueError:
            yield Problem(where, "`dated` finds what is no ISO date", "Let its group match 2024-03-05 and the like")
            continue
        if not days:
            yield Problem(
                where, f"`dated` finds no date in {source}", "Let it match what each of its notes begins with"
            )
        if any(day > date.fromisoformat(case.date) for day in days):
            yield Problem(where, f"a note in {source} is later than the case's own date", "Leave later notes out of it")


def caution(make: Snippets, cases: Sequence[Example]) -> str | None:
    """How many cases have no term."""
    without = sum(not make.has_hit(case) for case in cases)
    return f"{without} of {len(cases)} cases have none of its terms, and show their beginning" if without else None


def _telling_terms(notes: Sequence[str], train: Sequence[Example], source: str, task: Task) -> list[re.Pattern[str]]:
    from sklearn.feature_extraction.text import TfidfVectorizer  # which reading a table does not need
    from sklearn.feature_selection import chi2

    where = f"task {task.name}, snippets"
    if not task.labels:
        raise InputError(Problem(where, "an answer is no label, by which terms could be found", "Name `terms`"))
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=_WORD, min_df=_FEWEST_TEXTS)
    try:
        weights = vectorizer.fit_transform(notes)
    except ValueError:
        raise InputError(Problem(where, f"no word of {source} stands in two training cases", "Name `terms`")) from None
    scores = chi2(weights, [task.parse(case.target) for case in train])[0]
    ranked = sorted(zip(-scores, vectorizer.get_feature_names_out(), strict=True))
    return [_as_words(r"\W+".join(map(re.escape, term.split()))) for _, term in ranked[:_FOUND]]


def _as_words(term: str) -> re.Pattern[str]:
    return _compiled(rf"(?<!\w)(?:{term})(?!\w)")


def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    try:
        return re.compile(pattern, flags | re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{_shown(pattern)} is no regular expression: {error}") from None


def _shown(pattern: str) -> str:
    return repr(pattern if len(pattern) <= _LONGEST_SHOWN else f"{pattern[:_LONGEST_SHOWN]}...")
