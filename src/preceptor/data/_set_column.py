"""`set_column`: whether the cells of a column list a few labels each, as `asthma; copd` does and free text does not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from preceptor.data._label_sets import list_of
from preceptor.data._table import Table
from preceptor.tasks import composed, plain

_SEPARATORS = {";": "; ", "|": " | ", ",": ", "}
"""What stands between two labels in a cell -> how a task writes it. The first by which a column has sets: commas stand
in labels too.
"""
_NOTHING = {"none", "no finding", "no findings", "no diagnosis", "no label", "nothing", "nil", "normal", "negative"}
"""Words for no label, in lower case."""
_MOST_LABELS = 50
_LONGEST = 60
"""Characters of a label."""
_CELLS_OF_A_LABEL = 3
"""In so many cells a label stands on average: else these are the parts of texts."""
_SEVERAL = 0.1
"""The share of cells that must have several labels: else it is some labels that hold the separator."""
_APART = 0.9
"""Of the labels in these cells, the share that must also stand alone or beside others, as `viral` in `pneumonia, viral`
does not.
"""


@dataclass(frozen=True, slots=True)
class SetColumn:
    """separator: as the task writes it. labels: each in its first spelling, in the order of the column. empty: the word
    for no label, the column's own or one for its empty cells or lists; None where each cell has a label. blank_cells:
    whether some cells hold nothing; blank_is_none: whether that can only mean that there is no label. longest: the
    characters of the longest set. spelt: other spelling of a label -> its first, where more than case differs.
    """

    separator: str
    labels: tuple[str, ...]
    empty: str | None
    blank_cells: bool
    blank_is_none: bool
    longest: int
    spelt: dict[str, str] = field(repr=False)


def set_column(table: Table, column: str) -> SetColumn | None:
    """The sets of labels in a column of lists or of texts with separators; None where its cells are anything else.

    They are sets where there are few labels, each in several cells; where some cells have several and not all as many;
    where most labels stand alone somewhere; and where those that stand together also stand apart. A text beside lists
    is one label, if it holds no separator; lists that hold lists, objects or null are no sets.
    """
    cells = [row.cells.get(column, "") for row in table.rows]
    filled = [cell for cell in cells if not isinstance(cell, str) or cell.strip()]
    lists = [_list(cell) for cell in filled]
    if None not in lists or not all(isinstance(cell, str) for cell in filled):
        parts = [[cell] if one is None else one for cell, one in zip(filled, lists, strict=True)]
        beside = [cell for cell, one in zip(filled, lists, strict=True) if one is None]
        if any(mark in str(cell) for cell in beside for mark in _SEPARATORS):
            return None
        are_labels = all(isinstance(part, str | int | float) for one in parts for part in one)
        return _found([_stripped(one) for one in parts], None, len(cells)) if are_labels else None
    if any(text.lstrip().startswith(("[", "{")) for text in filled):
        return None
    split = ((mark, [_stripped(text.split(mark)) for text in filled]) for mark in _SEPARATORS)
    return next((found for mark, named in split if (found := _found(named, mark, len(cells)))), None)


def _found(named: Sequence[Sequence[str]], mark: str | None, rows: int) -> SetColumn | None:
    """What the filled cells of `rows` name; mark: what stands between two labels of a text, None for lists."""
    first: dict[str, str] = {}
    for part in (part for parts in named for part in parts):
        first.setdefault(plain(part), " ".join(part.split()))
        if len(first) > _MOST_LABELS + 1:  # with a word for none
            return None
    sets = [frozenset(map(plain, parts)) for parts in named]
    word = _word_for_none(sets) if mark else None
    labels = [label for common, label in first.items() if common != word]
    free = next((one for one in _SEPARATORS if not any(one in label for label in labels)), None)
    filled = [one for one in sets if one and one != {word}]
    if not _may_be_labels(labels, mark) or not _are_sets(filled, len(labels), rows) or not (mark or free):
        return None
    own, blank = word is not None or frozenset() in sets, len(named) < rows
    usual = "none" if "none" not in first or word else "no label"
    return SetColumn(
        _SEPARATORS[mark or free or ""],
        tuple(labels),
        (first[word] if word else usual) if own or blank else None,
        blank_cells=blank,
        blank_is_none=blank and not own,
        longest=max(sum(len(part) + 2 for part in parts) for parts in named),
        spelt={
            part: one for parts in named for part in parts if part.casefold() != (one := first[plain(part)]).casefold()
        },
    )


def _may_be_labels(labels: Sequence[str], mark: str | None) -> bool:
    """Whether these are few, short, and no sentences, settings or decimals."""
    if not 2 <= len(labels) <= _MOST_LABELS or max(map(len, labels)) > _LONGEST:
        return False
    decimals = mark == "," and all(label.isdecimal() for label in labels)
    return not decimals and not any(label.endswith(".") or "=" in label for label in labels)


def _are_sets(sets: Sequence[frozenset[str]], labels: int, rows: int) -> bool:
    """Whether labels stand together as those of sets do; see `set_column`. sets: those with a label."""
    several = [one for one in sets if len(one) > 1]
    if labels > max(2, rows // 2) or sum(map(len, sets)) < _CELLS_OF_A_LABEL * labels:
        return False
    if len(several) < max(1, _SEVERAL * len(sets)) or len({len(one) for one in sets}) == 1:
        return False
    alone = {label for one in sets if len(one) == 1 for label in one}
    ways = Counter(label for one in set(sets) for label in one)
    together = [label for one in several for label in one]
    apart = sum(label in alone or ways[label] > 1 for label in together)
    return 2 * len(alone) >= labels and apart >= _APART * len(together)


def _word_for_none(sets: Sequence[frozenset[str]]) -> str | None:
    """The word for no label, which stands beside none; None without one, or with two."""
    there = set().union(*sets)
    beside = {label for one in sets if len(one) > 1 for label in one}
    words = there & _NOTHING
    return next(iter(words)) if len(words) == 1 and not words & beside else None


def _list(cell: Any) -> list[Any] | None:
    """The parts of a cell that is a list, or a text that is one; None for any other."""
    if isinstance(cell, str):
        return list_of(cell.strip())
    return cell if isinstance(cell, list) else None


def _stripped(parts: Sequence[Any]) -> list[str]:
    return [text for part in parts if (text := composed(str(part).strip()))]
