"""Files of an earlier run: read, or named in an error that says what to do when they are damaged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.errors import InputError, Problem


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Read `file` inside the block. Raises `InputError` that names it when it is damaged or missing."""
    try:
        yield
    except FileNotFoundError as error:
        raise _lost(file, "is missing from what an earlier run kept") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        # no JSON, or not what we write
        raise _lost(file, "was kept by an earlier run and is damaged") from error


def _lost(file: Path, what: str) -> InputError:
    fix = f"Delete the folder {file.parent}; the same command then makes again what was in it."
    return InputError(Problem(str(file), f"it {what}", fix))
