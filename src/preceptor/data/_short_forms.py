"""Tables of short forms and the long forms they stand for: the user's own, or the one that is shipped."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from preceptor.data._problems import listed, raise_if_any
from preceptor.data._table import Table, read_table
from preceptor.errors import InputError, Problem

SHIPPED = Path(__file__).parent / "short_forms.csv"
"""Common knowledge of clinical English, put together for this project; no clinician has reviewed it."""

_COLUMNS = ("short", "long")
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class ShortForms:
    """short_of: long form -> its short form, both as the table writes them. left_out: how many long forms have several
    short forms, so that it would not be known which one to write (Wen et al. 2020 leave them out, too).
    """

    short_of: Mapping[str, str]
    left_out: int = 0

    @cached_property
    def by_first_word(self) -> Mapping[str, list[tuple[tuple[str, ...], str]]]:
        """First word -> the words of each long form that begins with it, and the long form; the longest first."""
        found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for long in self.short_of:
            words = tuple(word for word, _, _ in words_of(long))
            found.setdefault(words[0], []).append((words, long))
        return {first: sorted(forms, key=lambda one: (-len(one[0]), one[1])) for first, forms in found.items()}


def words_of(text: str) -> Iterator[tuple[str, int, int]]:
    """Each word and each sign of a text, case aside, with the characters that it stands at."""
    for found in _WORD.finditer(text):
        yield found[0].casefold(), found.start(), found.end()


def read_short_forms(path: Path | None = None) -> ShortForms:
    """A table with the columns `short` and `long`, a pair in each row; None: the shipped one.

    Raises `InputError` with everything that is wrong with it.
    """
    table = read_table(path or SHIPPED)
    if lacking := [name for name in _COLUMNS if name not in table.columns]:
        what = f"there is no column {', '.join(lacking)}; it has {listed(table.columns)}"
        raise InputError(Problem(str(table.path), what, "Name its columns `short` and `long`."))
    raise_if_any(list(_problems(table)))
    pairs = _pairs(table)
    count = Counter(long.casefold() for _, long in pairs)
    kept = {long: short for short, long in pairs if count[long.casefold()] == 1}
    senses = Counter(kept.values())
    if max(senses.values(), default=0) < 2:
        what = "no short form has two long forms, so there is nothing to tell apart"
        raise InputError(Problem(str(table.path), what, "Add further long forms of its short forms."))
    return ShortForms(kept, sum(several > 1 for several in count.values()))


def _pairs(table: Table) -> list[tuple[str, str]]:
    """The pairs in order, each once: a long form in its first spelling of those that differ in case alone."""
    named = sorted({(_spaced(row.cells["short"]), _spaced(row.cells["long"])) for row in table.rows}, reverse=True)
    return sorted({(short, long.casefold()): (short, long) for short, long in named}.values())


def _problems(table: Table) -> Iterator[Problem]:
    for row in table.rows:
        cells = [row.cells.get(name, "") for name in _COLUMNS]
        if not all(isinstance(cell, str) for cell in cells):
            yield Problem(table.where(row), "a form is a list or an object", "Write each as a text.")
            continue
        short, long = map(_spaced, cells)
        if not short or not long:
            what = f"{'short' if not short else 'long'} is empty"
            yield Problem(table.where(row), what, "Give both forms, or take the row out.")
        elif not any(map(str.isalnum, long)):
            yield Problem(table.where(row), "long has no word", "Write it in words, or take the row out.")
        elif short.casefold() == long.casefold():
            yield Problem(table.where(row), "short and long form are the same", "Take the row out.")


def _spaced(text: str) -> str:
    return " ".join(text.split())
