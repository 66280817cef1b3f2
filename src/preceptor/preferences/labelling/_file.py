"""The SQLite file of a label store: made whole or not at all, private to its owner, and known by its marks."""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.preferences.labelling._items import Item, to_row
from preceptor.preferences.labelling._schema import APPLICATION_ID, SCHEMA, VERSION

Identity = tuple[int, int] | None
"""Device and inode of a file; None where there is none."""


class NotSavedError(Exception):
    """What was given is not on the disk. The message is for the rater."""

    @classmethod
    def of(cls, error: sqlite3.OperationalError) -> "NotSavedError":
        """What SQLite says, in a rater's words."""
        full = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL  # the rest of the number says where
        what = "the disk is full" if full else "the file of this round cannot be written"
        return cls(f"On the machine that serves this page, {what}. {TELL_THE_LEAD}")


TELL_THE_LEAD = "Tell the lead of this round: until that is mended, nothing is saved."


def make_file(path: Path, about: Mapping[str, Any], items: Sequence[Item]) -> None:
    """Write a new store without votes. InputError when something is at `path`, ValueError when ids repeat."""
    if len({item.id for item in items}) < len(items):
        raise ValueError("two items have one id")
    path.parent.mkdir(
        parents=True, exist_ok=True, mode=0o700
    )  # one that is there keeps its rights: the file is private
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside.unlink(missing_ok=True)
    os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _fill(aside, about, items)
        os.link(aside, path)  # unlike a rename, fails where another process has put a store in the meantime
    except FileExistsError as error:
        what = "there is a label store already"
        raise InputError(Problem(str(path), what, "Go on with it, or choose another place")) from error
    finally:
        aside.unlink(missing_ok=True)


def _fill(path: Path, about: Mapping[str, Any], items: Sequence[Item]) -> None:
    db = sqlite3.connect(path)
    try:
        db.executescript(SCHEMA)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.executemany("INSERT INTO round VALUES (?, ?)", [(name, json.dumps(value)) for name, value in about.items()])
        db.executemany(
            "INSERT INTO items VALUES (?, ?, ?)",
            [(at, item.id, json.dumps(to_row(item))) for at, item in enumerate(items, start=1)],
        )
        db.executemany(
            "INSERT INTO tally VALUES (?, ?, ?, 0)",
            [(at, item.id, item.kind == "gold") for at, item in enumerate(items, start=1)],
        )
        db.commit()
    finally:
        db.close()


def open_file(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on the disk when they return. InputError when this is no label store."""
    if not path.is_file():
        raise InputError(Problem(str(path), "there is no label store here", "Start one with `preceptor label`"))
    db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        marks = [db.execute(f"PRAGMA {mark}").fetchone()[0] for mark in ("application_id", "user_version")]
    except sqlite3.DatabaseError:
        marks = []
    if marks != [APPLICATION_ID, VERSION]:
        db.close()
        what = "this is not a label store of this version of Preceptor"
        raise InputError(Problem(str(path), what, "Name a file that `preceptor label` wrote"))
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        db.execute(f"PRAGMA {pragma}")
    return db


def identities(path: Path) -> tuple[Identity, Identity]:
    """Which files are a store and its write-ahead log. SQLite goes on writing to files that were deleted or moved."""
    return _identity(path), _identity(path.with_name(f"{path.name}-wal"))


def _identity(path: Path) -> Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
