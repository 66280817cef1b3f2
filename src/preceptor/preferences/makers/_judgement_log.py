"""Judgements of a judge, appended to a file as they arrive, so that an interrupted run repeats none."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from preceptor.files import JsonLog

Outcome = Literal["first", "second", "ties", "order decided", "unreadable"]


@dataclass(frozen=True, slots=True)
class JudgementLog:
    """Digest of a case's id and the two answers -> outcome, and the seconds it took. The file holds no text."""

    log: JsonLog
    judgements: dict[str, tuple[Outcome, float]]

    @classmethod
    def open(cls, path: Path) -> "JudgementLog":
        """Read the file, if there is one. A line that cannot be parsed, such as a torn last one, is skipped."""
        log, judgements = JsonLog(path), dict[str, tuple[Outcome, float]]()
        for row in log.read(skip_damaged=True):
            with suppress(ValueError, KeyError, TypeError):
                judgements[str(row["pair"])] = (row["outcome"], float(row["seconds"]))
        return cls(log, judgements)

    def record(self, pair: str, outcome: Outcome, seconds: float) -> None:
        """Append one judgement and wait until it is on disk."""
        self.judgements[pair] = (outcome, seconds)
        self.log.append({"pair": pair, "outcome": outcome, "seconds": seconds})
