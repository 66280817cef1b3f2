"""The mark that a purge leaves in a run folder: when it was, what went, and what such a run refuses from then on."""

import errno
import json
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem

MARK = "purged.json"


def purge_mark(root: Path) -> dict[str, Any] | None:
    """`begun`, `ended` (null while the purge goes on) and `deleted`; None where nothing was ever purged."""
    try:
        mark: dict[str, Any] = json.loads((root / MARK).read_text(encoding="utf-8"))
        return {name: mark[name] for name in ("begun", "ended", "deleted")}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return None if error.errno == errno.ENAMETOOLONG else {"begun": None, "ended": None, "deleted": []}
    except (ValueError, KeyError, TypeError):  # that it is there says enough
        return {"begun": None, "ended": None, "deleted": []}


def check_not_purged(root: Path) -> None:
    """Raises `InputError` when models, pairs and answers of this run were deleted, or are being deleted."""
    if (root / MARK).exists():
        what = "this run was purged: its models, pairs and answers are deleted"
        fix = "Run the study again in another folder, named with --output-dir."
        raise InputError(Problem(str(root), what, fix))


def check_purge_complete(root: Path) -> None:
    """Raises `InputError` when a purge of this run was interrupted."""
    mark = purge_mark(root)
    if mark is not None and mark["ended"] is None:
        what = "a purge of this run was interrupted"
        raise InputError(Problem(str(root), what, f"Run `preceptor purge {root}` again: it goes on."))
