"""Judgements of a judge, appended to a file as they arrive, so that an interrupted run repeats none."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from preceptor.files import digest, write_atomic

Outcome = Literal["first", "second", "ties", "order decided", "unreadable"]


@dataclass(frozen=True, slots=True)
class JudgementLog:
    """Digest of a pair -> its outcome and the seconds it took. The file holds no text."""

    path: Path
    judgements: dict[str, tuple[Outcome, float]]

    @classmethod
    def open(cls, path: Path) -> "JudgementLog":
        """Read the file, if there is one. A line that cannot be parsed, such as a torn last one, is removed."""
        judgements: dict[str, tuple[Outcome, float]] = {}
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        whole = []
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                judgements[str(row["pair"])] = (row["outcome"], float(row["seconds"]))
                whole.append(line.rstrip(b"\n") + b"\n")
        if len(whole) < len(lines):
            write_atomic(path, b"".join(whole))
        return cls(path, judgements)

    def record(self, pair: str, outcome: Outcome, seconds: float) -> None:
        """Append one judgement and wait until it is on disk."""
        self.judgements[pair] = (outcome, seconds)
        with self.path.open("ab") as file:
            file.write(json.dumps({"pair": pair, "outcome": outcome, "seconds": seconds}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def pair_digest(example_id: str, two: Sequence[str]) -> str:
    """The SHA-256 of a case's id and the two answers."""
    return digest([example_id, *two])
