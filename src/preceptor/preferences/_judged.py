"""What a judge has said so far, on disk as it comes: a run that is stopped asks nothing twice."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from preceptor.files import JsonLog, digest

Outcome = Literal["first", "second", "ties", "order decided", "unreadable"]


@dataclass(frozen=True, slots=True)
class Judged:
    """Outcomes and the seconds each took, by the pair that was judged. The file holds no text, only the pair's hash."""

    log: JsonLog
    said: dict[str, tuple[Outcome, float]]

    @classmethod
    def open(cls, path: Path) -> "Judged":
        """Read what stands there. A line that cannot be read, as a torn last one, is asked for again."""
        log, said = JsonLog(path), dict[str, tuple[Outcome, float]]()
        for row in log.read(skip_damaged=True):
            with suppress(ValueError, KeyError, TypeError):
                said[str(row["pair"])] = (row["outcome"], float(row["seconds"]))
        return cls(log, said)

    def add(self, pair: str, outcome: Outcome, seconds: float) -> None:
        """Keep one more, at once."""
        self.said[pair] = (outcome, seconds)
        self.log.append({"pair": pair, "outcome": outcome, "seconds": seconds})


def pair_name(example_id: str, two: Sequence[str]) -> str:
    """Names a case with the two answers that are compared, without saying what they are."""
    return digest([example_id, *two])
