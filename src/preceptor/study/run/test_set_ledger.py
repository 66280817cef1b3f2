"""The ledger of looks: how often this user has looked at a test set, whatever study and folder it was in."""

import os
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from preceptor.errors import InputError, Problem
from preceptor.files import JsonLog, private_folder


def ledger_path() -> Path:
    """`preceptor/looks.jsonl` in the user's data folder."""
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    home = named if named.is_absolute() else Path.home() / ".local" / "share"  # a relative one counts as none
    return home / "preceptor" / "looks.jsonl"


def ledger_file() -> Path:
    """The ledger, made ready to be written to; private. Raises `InputError` when it cannot be written."""
    file = ledger_path()
    try:
        private_folder(file.parent)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as error:
        what = f"looks at test sets are noted here, and it cannot be written ({os.strerror(error.errno or 0).lower()})"
        fix = "Make it writable, or name another data folder in the environment variable XDG_DATA_HOME."
        raise InputError(Problem(str(file), what, fix)) from error
    return file


def record_use(test_sha256: str, predictions_sha256: str, study: str) -> int:
    """Which look at this test set this is, 1 being the first. The same predictions again are no new look."""
    log = JsonLog(ledger_file())
    with FileLock(log.path.with_name(".looks.lock")):
        # A line that a crash has torn was no look that anyone saw.
        known = [look for look in log.read(skip_damaged=True) if look.get("test_sha256") == test_sha256]
        looks = [look["predictions_sha256"] for look in known if "predictions_sha256" in look]
        if predictions_sha256 in looks:
            return looks.index(predictions_sha256) + 1
        log.append(
            {
                "test_sha256": test_sha256,
                "predictions_sha256": predictions_sha256,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "study": study,
            }
        )
        return len(looks) + 1


def ordinal(number: int) -> str:
    """1 -> `first`, 12 -> `12th`."""
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    if number <= len(words):
        return words[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
