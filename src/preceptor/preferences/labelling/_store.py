"""The label store: one private, append-only SQLite file. Acknowledged votes are durable."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.preferences.labelling import _assignment
from preceptor.preferences.labelling._assignment import Assignment
from preceptor.preferences.labelling._file import TELL_THE_LEAD, NotSavedError, create_file, identities, open_file
from preceptor.preferences.labelling._items import Item, from_row
from preceptor.preferences.labelling._rows import insert_vote, select_votes
from preceptor.preferences.labelling._vote import Rater, Role, Vote

LEASE_SECONDS = 30 * 60
"""How long an item shown to one rater is withheld from others, if it needs no more votes than theirs."""


class AlreadyJudgedError(ValueError):
    """The rater has an effective vote on this item already, for instance from another window."""


class MisplacedVoteError(ValueError):
    """The vote is on an item that was not assigned to this rater, or reuses the id of another vote."""


class Store:
    """Items, raters and votes of one round. Thread-safe, and safe for several processes on one local disk."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self.metadata: dict[str, Any] = {name: json.loads(value) for name, value in db.execute("SELECT * FROM round")}
        """`title`, `votes_per_item`, `repeat_share`, `seed`, and `key`, the round's id."""
        self._db = db
        self._lock = threading.RLock()
        self._items = {at: from_row(json.loads(row)) for at, row in db.execute("SELECT position, item FROM items")}
        self._positions = {item.id: at for at, item in self._items.items()}
        self._files = identities(path)
        self._leases: dict[str, tuple[str, bool, float]] = {}  # rater -> (item, repeat, start)

    @classmethod
    def create(
        cls,
        path: Path,
        items: Sequence[Item],
        *,
        title: str,
        votes_per_item: int = 2,
        repeat_share: float = 0.1,
        seed: int = 0,
    ) -> "Store":
        """Create a store: each item for `votes_per_item` raters, a share of them repeated for the same rater.

        InputError when `path` exists; ValueError on duplicate item ids.
        """
        metadata = {"title": title, "votes_per_item": votes_per_item, "repeat_share": repeat_share, "seed": seed}
        create_file(path, metadata | {"key": secrets.token_hex(4)}, items)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open the store at `path`. InputError when it is missing or not a label store."""
        return cls(path, open_file(path))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- items and raters ---

    def items(self) -> list[Item]:
        """Every item, in the order of the round."""
        return list(self._items.values())

    def item_at(self, position: int) -> Item | None:
        """The item at this position (from 1), if any."""
        return self._items.get(position)

    def add_rater(self, name: str, role: Role = "rater") -> str:
        """Create a rater's token and store its hash only. An existing rater gets a new token; the old one is revoked.

        InputError when the name is empty, over 60 characters long, not printable, or has the other role.
        """
        name = name.strip()
        if not 0 < len(name) <= 60 or not name.isprintable():
            raise InputError(Problem("rater", "this cannot be a rater's name", "Use 1 to 60 printable characters"))
        token = secrets.token_urlsafe(32)
        with self._writing() as db:
            known = db.execute("SELECT role FROM raters WHERE name = ?", (name,)).fetchone()
            if known and known[0] != role:
                raise InputError(Problem("rater", f"this name is a {known[0]}'s in this round", "Choose another name"))
            db.execute(
                "INSERT INTO raters VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET token = excluded.token",
                (name, role, _hash(token), _now()),
            )
        return token

    def raters(self) -> list[Rater]:
        """All raters in the order they were added."""
        with self._lock:
            return [Rater(*row) for row in self._db.execute("SELECT name, role, added FROM raters ORDER BY rowid")]

    def authenticate(self, token: str) -> Rater | None:
        """The rater with this token, if any."""
        query = "SELECT name, role, added FROM raters WHERE token = ?"
        with self._lock:
            row = self._db.execute(query, (_hash(token),)).fetchone()
        return Rater(*row) if row else None

    # --- assignment ---

    def next_item(self, rater: str) -> Assignment | None:
        """The rater's next item, the same until they vote; None when nothing is open for them.

        First undone items, then repeats that are due, then new items that still need votes. NotSavedError when a vote
        could not be saved.
        """
        with self._lock:
            self._check_files()
            found = self._next(rater)
            if found is None:
                self._leases.pop(rater, None)
                return None
            item, repeat = found
            self._leases[rater] = (item, repeat, time.monotonic())
            last = select_votes(self._db, "v.rater = ? AND v.item = ? AND v.repeat = ?", rater, item, repeat)
            position = self._positions[item]
            order = _assignment.order_for(self.metadata["seed"], rater, item, repeat)
            return Assignment(position, self._items[position], order, repeat, last[-1] if last else None)

    def remaining(self, rater: str) -> int:
        """How many new items are open for this rater."""
        with self._lock:
            return _assignment.count_open(self._db, rater, self.metadata["votes_per_item"])

    def counts_of(self, rater: str) -> tuple[int, int]:
        """The rater's numbers of effective votes and skips."""
        query = "SELECT count(choice), count(*) - count(choice) FROM standing WHERE rater = ?"
        with self._lock:
            judged, skipped = self._db.execute(query, (rater,)).fetchone()
        return judged, skipped

    def _next(self, rater: str) -> tuple[str, bool] | None:
        if undone := _assignment.undone_item(self._db, rater):
            return undone
        item, repeat, _ = self._leases.get(rater, ("", False, 0.0))
        if item and not _assignment.has_vote(self._db, rater, item, repeat):
            return item, repeat
        if repeat_item := _assignment.repeat_due(self._db, rater, self.metadata["repeat_share"]):
            return repeat_item, True
        expired = time.monotonic() - LEASE_SECONDS
        other_leases = (lease for other, lease in self._leases.items() if other != rater)
        leased = [item for item, repeat, since in other_leases if since > expired and not repeat]
        new = _assignment.first_open(self._db, rater, self.metadata["votes_per_item"], leased)
        return (new, False) if new else None

    # --- votes ---

    def record(self, vote: Vote) -> Vote:
        """Append a vote durably; returns it with number, time and versions. Idempotent by `vote.id`.

        AlreadyJudgedError when the rater has an effective vote on the item; MisplacedVoteError for a repeat without a
        first vote, or the id of another vote; ValueError when item or rater are unknown; NotSavedError when it could
        not be saved.
        """
        if vote.item not in self._positions:
            raise ValueError("there is no such item")
        answers = self._items[self._positions[vote.item]].answers
        versions = tuple(answer.version for answer in answers)
        with self._writing() as db:
            if old := select_votes(db, "v.id = ?", vote.id):
                return _check_same(old[0], vote)
            _check_unused(db, vote.id)
            role = db.execute("SELECT role FROM raters WHERE name = ?", (vote.rater,)).fetchone()
            if role is None:
                raise ValueError("there is no such rater")
            id = vote.id or secrets.token_hex(16)
            complete = replace(vote, id=id, time=_now(), versions=versions, role=role[0], undone=False)
            if _assignment.has_vote(db, vote.rater, vote.item, vote.repeat):
                raise AlreadyJudgedError("a vote of this rater stands on this item")
            if vote.repeat and not _assignment.has_vote(db, vote.rater, vote.item, False, skips=False):
                raise MisplacedVoteError("this rater has not judged this item, so it cannot be put to them again")
            return replace(complete, seq=insert_vote(db, complete))

    def undo(self, rater: str, id: str = "") -> Vote | None:
        """Undo the rater's last vote or skip by appending a row; None when there is none.

        Idempotent by `id`. MisplacedVoteError when it is the id of another vote.
        """
        with self._writing() as db:
            if undo_row := db.execute("SELECT undoes FROM votes WHERE id = ? AND rater = ?", (id, rater)).fetchone():
                return select_votes(db, "v.seq = ?", undo_row[0])[0] if undo_row[0] else None
            _check_unused(db, id)
            standing = select_votes(db, "v.rater = ? AND s.seq IS NOT NULL", rater)
            return _append_undo(db, standing[-1], id) if standing else None

    def unskip(self, rater: str) -> None:
        """Undo all of the rater's skips."""
        with self._writing() as db:
            for skip in select_votes(db, "v.rater = ? AND s.seq IS NOT NULL AND v.choice IS NULL", rater):
                _append_undo(db, skip, "")

    def votes(self, effective: bool = True) -> list[Vote]:
        """Votes, oldest first: effective ones (neither skipped nor undone), or all."""
        condition = "s.seq IS NOT NULL AND v.choice IS NOT NULL" if effective else "1"
        with self._lock:
            return select_votes(self._db, condition)

    def votes_of(self, rater: str) -> list[Vote]:
        """The rater's effective votes and skips, oldest first."""
        with self._lock:
            return select_votes(self._db, "v.rater = ? AND s.seq IS NOT NULL", rater)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction. NotSavedError when it could not be committed to the store's file."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                with self._db:  # commits, or rolls back
                    yield self._db
            except sqlite3.OperationalError as error:
                raise NotSavedError.of(error) from error
            self._check_files()

    def _check_files(self) -> None:
        """NotSavedError when the open files are no longer those at the store's path."""
        if identities(self.path) != self._files:
            what = "the file of this round was deleted, moved or replaced"
            raise NotSavedError(f"On the machine that serves this page, {what}. {TELL_THE_LEAD}")


def read_round(path: Path) -> tuple[list[Item], list[Vote]]:
    """The items and the effective votes of the store at `path`. InputError when it is missing or not a label store."""
    with closing(Store.open(path)) as store:
        return store.items(), store.votes()


def _check_same(old: Vote, vote: Vote) -> Vote:
    if (old.rater, old.item, old.repeat) != (vote.rater, vote.item, vote.repeat):
        raise MisplacedVoteError("this id is another vote's")
    if (old.choice, old.scores, old.note, old.edited) != (vote.choice, vote.scores, vote.note, vote.edited):
        raise AlreadyJudgedError("another vote was given on the same page")
    return old


def _check_unused(db: sqlite3.Connection, id: str) -> None:
    if db.execute("SELECT 1 FROM votes WHERE id = ?", (id,)).fetchone():
        raise MisplacedVoteError("this id is another vote's")


def _append_undo(db: sqlite3.Connection, vote: Vote, id: str) -> Vote:
    row = replace(vote, id=id or secrets.token_hex(16), time=_now(), choice=None, scores={}, note="", edited=None)
    insert_vote(db, replace(row, seconds=0.0), undoes=vote.seq)
    return replace(vote, undone=True)


def _hash(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
