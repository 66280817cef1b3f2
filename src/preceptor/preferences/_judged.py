"""What a judge has said so far, on disk as it comes: a run that is stopped asks nothing twice."""

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
class Judged:
    """Outcomes and the seconds each took, by the pair that was judged. The file holds no text, only the pair's hash."""

    path: Path
    said: dict[str, tuple[Outcome, float]]

    @classmethod
    def open(cls, path: Path) -> "Judged":
        """Read what stands there. A line that cannot be read, as a torn last one, is asked for again."""
        said: dict[str, tuple[Outcome, float]] = {}
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        whole = []
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                said[str(row["pair"])] = (row["outcome"], float(row["seconds"]))
                whole.append(line.rstrip(b"\n") + b"\n")
        if len(whole) < len(lines):
            write_atomic(path, b"".join(whole))
        return cls(path, said)

    def add(self, pair: str, outcome: Outcome, seconds: float) -> None:
        """Keep one more, at once."""
        self.said[pair] = (outcome, seconds)
        with self.path.open("ab") as file:
            file.write(json.dumps({"pair": pair, "outcome": outcome, "seconds": seconds}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def pair_name(example_id: str, two: Sequence[str]) -> str:
    """Names a case with the two answers that are compared, without saying what they are."""
    return digest([example_id, *two])
