"""The SQLite file of a label store: created atomically, private to its owner, identified by its pragmas."""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._schema import APPLICATION_ID, SCHEMA, VERSION

Identity = tuple[int, int] | None
"""Device and inode of a file; None if it does not exist."""


class NotSavedError(Exception):
    """A write did not reach the disk. The message is for the rater."""

    @classmethod
    def of(cls, error: sqlite3.OperationalError) -> "NotSavedError":
        """Translate SQLite's error for raters."""
        full = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL  # the low byte is the primary code
        what = "the disk is full" if full else "the file of this round cannot be written"
        return cls(f"On the machine that serves this page, {what}. {TELL_THE_LEAD}")


TELL_THE_LEAD = "Tell the lead of this round: until that is mended, nothing is saved."


def create_file(path: Path, metadata: Mapping[str, Any], items: Sequence[Item]) -> None:
    """Create a store without votes. InputError when `path` exists, ValueError on duplicate item ids."""
    if len({item.id for item in items}) < len(items):
        raise ValueError("two items have one id")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # an existing folder keeps its mode: the file is private
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _fill(part, metadata, items)
        os.link(part, path)  # unlike a rename, fails if another process has created the store meanwhile
    except FileExistsError as error:
        what = "there is a label store already"
        raise InputError(Problem(str(path), what, "Go on with it, or choose another place")) from error
    finally:
        part.unlink(missing_ok=True)


def _fill(path: Path, metadata: Mapping[str, Any], items: Sequence[Item]) -> None:
    texts = [(name, json.dumps(value)) for name, value in metadata.items()]
    rows = [(at, item.id, json.dumps(asdict(item))) for at, item in enumerate(items, start=1)]
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SCHEMA)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.executemany("INSERT INTO round VALUES (?, ?)", texts)
        db.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)
        db.execute("INSERT INTO tally SELECT position, id, json_extract(item, '$.kind') = 'gold', 0 FROM items")
        db.commit()


def open_file(path: Path) -> sqlite3.Connection:
    """A connection with durable commits. InputError when the file is not a label store."""
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
    """Identities of a store and its write-ahead log: SQLite keeps writing to deleted or moved files."""
    return _identity(path), _identity(path.with_name(f"{path.name}-wal"))


def _identity(path: Path) -> Identity:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
