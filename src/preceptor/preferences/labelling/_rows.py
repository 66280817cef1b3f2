"""Mapping between votes and rows of the store's table."""

import json
import sqlite3
from typing import Any

from preceptor.preferences.labelling._vote import Vote


def insert_vote(db: sqlite3.Connection, vote: Vote, undoes: int | None = None) -> int:
    """Insert a vote, or the undo of the vote numbered `undoes`, and return the row's number.

    IntegrityError when the rater has an effective vote on this item.
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


def select_votes(db: sqlite3.Connection, condition: str, *values: Any) -> list[Vote]:
    """The votes that match an SQL condition, oldest first: `v` is the row in `votes`, `s` in `standing` (or NULL)."""
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
