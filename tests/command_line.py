"""Running a command in this process, as the console script does."""

import sys
from dataclasses import dataclass

import pytest

from preceptor.cli import main


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said, each on one line of single spaces."""

    code: int
    shown: str
    errors: str


class CommandLine:
    """`run("study", "x.yaml")` is `preceptor study x.yaml`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, *words: object) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["preceptor", *map(str, words)])
        self._capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        out, err = self._capsys.readouterr()
        return Outcome(code, " ".join(out.split()), " ".join(err.split()))
