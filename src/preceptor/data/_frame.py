"""A data frame as a Parquet file that `read_table` reads."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preceptor.data._problems import quoted
from preceptor.errors import InputError, Problem
from preceptor.files import write_atomic

_WHERE = "the data frame"


def write_frame(frame: Any, path: Path) -> None:
    """Write a pandas DataFrame, without its index, or a list of dicts, one a row; the file is private to its owner.

    Raises `InputError` with every column that no Parquet file can hold, never with a value of it, nor a header that
    is so long that it may be a case.
    """
    import pyarrow
    import pyarrow.parquet

    arrays, problems = {}, []
    for name, cells in _columns(frame).items():
        try:
            arrays[name] = pyarrow.array(cells, from_pandas=True)
        # Arrow's invalid, type and unsupported-type errors are these of Python's; their messages may quote a cell.
        except (ValueError, TypeError, NotImplementedError, OverflowError):
            what = "it holds values of several kinds, or of one that is neither text, number, date nor list"
            problems.append(
                Problem(f"{_WHERE}, column {quoted(name)}", what, "Make it text, as in frame[column].astype(str)")
            )
    if problems:
        raise InputError(problems)
    written = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), written)
    write_atomic(path, written.getvalue())


def _columns(frame: Any) -> dict[str, Any]:
    """Column -> its cells, top to bottom."""
    if isinstance(frame, Sequence) and all(isinstance(row, Mapping) for row in frame):
        names: Any = list(dict.fromkeys(name for row in frame for name in row))
        columns = [[row.get(name) for row in frame] for name in names]
    elif hasattr(frame, "columns") and hasattr(frame, "iloc"):
        names = list(frame.columns)
        columns = [frame.iloc[:, place] for place in range(len(names))]
    else:
        what = f"a pandas DataFrame or a list of dicts was expected, not {type(frame).__name__}"
        raise InputError(Problem(_WHERE, what, "Give one of them"))
    if not len(frame) or not names:
        raise InputError(Problem(_WHERE, "it has no rows", "Give at least one case"))
    texts = list(map(str, names))
    if doubles := sorted({text for text in texts if texts.count(text) > 1}):
        what = f"{len(doubles)} column names stand twice"
        raise InputError(Problem(_WHERE, what, "Give every column a name of its own"))
    return dict(zip(texts, columns, strict=True))
