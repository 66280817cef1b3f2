"""Votes as rows of the store's table, and back."""

import json
import sqlite3
from typing import Any

from preceptor.preferences.labelling._votes import Vote


def insert_vote(db: sqlite3.Connection, vote: Vote, undoes: int | None = None) -> int:
    """Add a row and return its number: a vote, or what takes the vote numbered `undoes` back.

    IntegrityError when a vote of this rater stands on this item already.
    """
    row = (
        None, vote.id, vote.item, vote.rater, vote.role, vote.repeat, vote.choice, vote.order,
        json.dumps(vote.scores, sort_keys=True), vote.note, vote.edited, vote.seconds, vote.time,
        json.dumps(vote.versions), undoes,
    )  # fmt: skip
    marks = ", ".join("?" * len(row))
    number = db.execute(f"INSERT INTO votes VALUES ({marks})", row).lastrowid  # noqa: S608 (holds no input)
    assert number is not None
    return number


def is_known(db: sqlite3.Connection, id: str) -> bool:
    """Whether a row, of whomever, has this id."""
    return db.execute("SELECT 1 FROM votes WHERE id = ?", (id,)).fetchone() is not None


def select_votes(db: sqlite3.Connection, condition: str, *values: Any) -> list[Vote]:
    """The votes that meet an SQL condition, oldest first: `v` is a vote's row, `s` the same where it stands."""
    joined = "votes v LEFT JOIN standing s ON s.seq = v.seq"
    query = f"SELECT v.*, s.seq IS NULL FROM {joined} WHERE v.undoes IS NULL AND {condition} ORDER BY v.seq"  # noqa: S608
    return [_vote(*row) for row in db.execute(query, values)]


def _vote(
    seq: int, id: str, item: str, rater: str, role: Any, repeat: int, choice: str | None, side: Any, scores: str,
    note: str, edited: str | None, seconds: float, time: str, versions: str, _undoes: None, undone: int,
) -> Vote:  # fmt: skip
    return Vote(
        item, rater, choice, side, json.loads(scores), note, edited, seconds, bool(repeat),
        id=id, seq=seq, time=time, versions=tuple(json.loads(versions)), role=role, undone=bool(undone),
    )  # fmt: skip
