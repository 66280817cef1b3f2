"""The label store: one private SQLite file that only grows. A vote that was acknowledged is on the disk."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.preferences.labelling import _turns
from preceptor.preferences.labelling._file import TELL_THE_LEAD, NotSavedError, identities, make_file, open_file
from preceptor.preferences.labelling._items import Item, from_row
from preceptor.preferences.labelling._rows import insert_vote, is_known, select_votes
from preceptor.preferences.labelling._turns import Turn
from preceptor.preferences.labelling._votes import Rater, Role, Vote

LEASE_SECONDS = 30 * 60
"""So long an item that lies before one rater is kept from the others, where it needs no more votes than theirs."""


class AlreadyJudgedError(ValueError):
    """A vote of the rater on this item stands already, for instance one given in another window."""


class MisplacedVoteError(ValueError):
    """What was sent names a case that was not put to this rater, or carries what names another's vote."""


class Store:
    """Items, raters and votes of one round. Safe for many threads, and for several processes on one local disk."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self.about: dict[str, Any] = {name: json.loads(value) for name, value in db.execute("SELECT * FROM round")}
        """`title`, `votes_per_item`, `repeat_share`, `seed`, and `key`, which names the round."""
        self._db = db
        self._lock = threading.RLock()
        self._items = {at: from_row(json.loads(row)) for at, row in db.execute("SELECT position, item FROM items")}
        self._positions = {item.id: at for at, item in self._items.items()}
        self._files = identities(path)
        self._before: dict[str, tuple[str, bool, float]] = {}  # rater -> item before them, if a repeat, since when

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
        """A new store at `path`: each item for `votes_per_item` raters, a share shown to its rater again.

        InputError when something is at `path`; ValueError when two items have one id.
        """
        about = {"title": title, "votes_per_item": votes_per_item, "repeat_share": repeat_share, "seed": seed}
        make_file(path, about | {"key": secrets.token_hex(4)}, items)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> "Store":
        """The store at `path`. InputError when there is none, or the file is something else."""
        return cls(path, open_file(path))

    def close(self) -> None:
        """Close the file; the store is of no use after that."""
        self._db.close()

    # --- items and raters ---

    def items(self) -> list[Item]:
        """Every item, in the order of the round."""
        return list(self._items.values())

    def item_at(self, position: int) -> Item | None:
        """The item with this number in the round (from 1), if there is one."""
        return self._items.get(position)

    def add_rater(self, name: str, role: Role = "rater") -> str:
        """A rater's token, shown this once: only its hash is kept. A rater who is there gets another; the old one ends.

        InputError when the name is empty, over 60 characters long, not printable, or has the other role.
        """
        name = name.strip()
        if not 0 < len(name) <= 60 or not name.isprintable():
            raise InputError(Problem("rater", "this cannot be a rater's name", "Use 1 to 60 printable characters"))
        token = secrets.token_urlsafe(32)
        with self._writing() as db:
            there = db.execute("SELECT role FROM raters WHERE name = ?", (name,)).fetchone()
            if there and there[0] != role:
                raise InputError(Problem("rater", f"this name is a {there[0]}'s in this round", "Choose another name"))
            db.execute(
                "INSERT INTO raters VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET token = excluded.token",
                (name, role, _hashed(token), _now()),
            )
        return token

    def raters(self) -> list[Rater]:
        """Everyone with a link, in the order they came."""
        with self._lock:
            return [Rater(*row) for row in self._db.execute("SELECT name, role, added FROM raters ORDER BY rowid")]

    def who(self, token: str) -> Rater | None:
        """The rater whom this token was given to."""
        query = "SELECT name, role, added FROM raters WHERE token = ?"
        with self._lock:
            row = self._db.execute(query, (_hashed(token),)).fetchone()
        return Rater(*row) if row else None

    # --- turns ---

    def next_item(self, rater: str) -> Turn | None:
        """What this rater judges next, the same until they have; None when nothing is left for them now.

        First what they took back, then a repeat when one is due, then new items that still need votes. NotSavedError
        when nothing that is said of it could be kept.
        """
        with self._lock:
            self._check_files()
            found = self._next(rater)
            if found is None:
                self._before.pop(rater, None)
                return None
            item, repeat = found
            self._before[rater] = (item, repeat, time.monotonic())
            last = select_votes(self._db, "v.rater = ? AND v.item = ? AND v.repeat = ?", rater, item, repeat)
            position = self._positions[item]
            order = _turns.order_for(self.about["seed"], rater, item, repeat)
            return Turn(position, self._items[position], order, repeat, last[-1] if last else None)

    def left(self, rater: str) -> int:
        """How many new items this rater could still judge, if no other rater did."""
        with self._lock:
            return _turns.count_open(self._db, rater, self.about["votes_per_item"])

    def done(self, rater: str) -> tuple[int, int]:
        """How many votes of this rater stand, and how many skips."""
        query = "SELECT count(choice), count(*) - count(choice) FROM standing WHERE rater = ?"
        with self._lock:
            judged, skipped = self._db.execute(query, (rater,)).fetchone()
        return judged, skipped

    def _next(self, rater: str) -> tuple[str, bool] | None:
        if back := _turns.undone_item(self._db, rater):
            return back
        item, repeat, _ = self._before.get(rater, ("", False, 0.0))
        if item and not _turns.has_vote(self._db, rater, item, repeat):
            return item, repeat
        if again := _turns.repeat_due(self._db, rater, self.about["repeat_share"]):
            return again, True
        lately = time.monotonic() - LEASE_SECONDS
        others = (before for other, before in self._before.items() if other != rater)
        taken = [item for item, repeat, since in others if since > lately and not repeat]
        new = _turns.first_open(self._db, rater, self.about["votes_per_item"], taken)
        return (new, False) if new else None

    # --- votes ---

    def record(self, vote: Vote) -> Vote:
        """Put a vote on the disk; returns it with number, time and versions. The same vote sent again changes nothing.

        AlreadyJudgedError when another vote of this rater stands on the item; MisplacedVoteError when it is a repeat
        and the rater has not judged the item before, or the id is another vote's; ValueError when item or rater are
        unknown; NotSavedError when it is not on the disk.
        """
        if vote.item not in self._positions:
            raise ValueError("there is no such item")
        answers = self._items[self._positions[vote.item]].answers
        versions = tuple(answer.version for answer in answers)
        with self._writing() as db:
            if known := select_votes(db, "v.id = ?", vote.id):
                return _same(known[0], vote)
            _stop_if_known(db, vote.id)
            role = db.execute("SELECT role FROM raters WHERE name = ?", (vote.rater,)).fetchone()
            if role is None:
                raise ValueError("there is no such rater")
            id = vote.id or secrets.token_hex(16)
            whole = replace(vote, id=id, time=_now(), versions=versions, role=role[0], undone=False)
            if _turns.has_vote(db, vote.rater, vote.item, vote.repeat):
                raise AlreadyJudgedError("a vote of this rater stands on this item")
            if vote.repeat and not _turns.has_judged(db, vote.rater, vote.item):
                raise MisplacedVoteError("this rater has not judged this item, so it cannot be put to them again")
            return replace(whole, seq=insert_vote(db, whole))

    def undo(self, rater: str, id: str = "") -> Vote | None:
        """Take back the rater's last vote or skip, by a row of its own; None when there is nothing to take back.

        The same `id` sent again takes back nothing more. MisplacedVoteError when it names another's vote.
        """
        with self._writing() as db:
            if done := db.execute("SELECT undoes FROM votes WHERE id = ? AND rater = ?", (id, rater)).fetchone():
                return select_votes(db, "v.seq = ?", done[0])[0] if done[0] else None
            _stop_if_known(db, id)
            standing = select_votes(db, "v.rater = ? AND s.seq IS NOT NULL", rater)
            return _take_back(db, standing[-1], id) if standing else None

    def unskip(self, rater: str) -> None:
        """Show a rater again what they skipped."""
        with self._writing() as db:
            for skip in select_votes(db, "v.rater = ? AND s.seq IS NOT NULL AND v.choice IS NULL", rater):
                _take_back(db, skip, "")

    def votes(self, effective: bool = True) -> list[Vote]:
        """Votes, oldest first: those that count, neither skipped nor undone; else every one ever given."""
        condition = "s.seq IS NOT NULL AND v.choice IS NOT NULL" if effective else "1"
        with self._lock:
            return select_votes(self._db, condition)

    def votes_of(self, rater: str) -> list[Vote]:
        """What stands of this rater, skips too, oldest first."""
        with self._lock:
            return select_votes(self._db, "v.rater = ? AND s.seq IS NOT NULL", rater)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; when it ends well, it is on the disk and will be found there. NotSavedError if not."""
        with self._lock:
            try:
                with self._transaction():
                    yield self._db
            except sqlite3.OperationalError as error:
                raise NotSavedError.of(error) from error
            self._check_files()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _check_files(self) -> None:
        """NotSavedError when the files that SQLite writes to are not those at the store's path."""
        if identities(self.path) != self._files:
            what = "the file of this round was deleted, moved or replaced"
            raise NotSavedError(f"On the machine that serves this page, {what}. {TELL_THE_LEAD}")


def _same(known: Vote, vote: Vote) -> Vote:
    if (known.rater, known.item, known.repeat) != (vote.rater, vote.item, vote.repeat):
        raise MisplacedVoteError("this id is another vote's")
    if (known.choice, known.scores, known.note, known.edited) != (vote.choice, vote.scores, vote.note, vote.edited):
        raise AlreadyJudgedError("another vote was given on the same page")
    return known


def _stop_if_known(db: sqlite3.Connection, id: str) -> None:
    if is_known(db, id):
        raise MisplacedVoteError("this id is another vote's")


def _take_back(db: sqlite3.Connection, vote: Vote, id: str) -> Vote:
    row = replace(vote, id=id or secrets.token_hex(16), time=_now(), choice=None, scores={}, note="", edited=None)
    insert_vote(db, replace(row, seconds=0.0), undoes=vote.seq)
    return replace(vote, undone=True)


def _hashed(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
