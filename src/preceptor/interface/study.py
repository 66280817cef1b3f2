"""A study from Python: the same code that the commands `check`, `plan` and `study` call."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import preceptor.study as room
from preceptor.interface.checked import Checked
from preceptor.interface.console import as_text, live_console
from preceptor.interface.paths import path_of
from preceptor.interface.results import Results
from preceptor.interface.running import run_and_report, study_command
from preceptor.study import Plan


@dataclass(frozen=True, slots=True)
class Study:
    """What is compared, of which model, on whose cases.

    what: its file, or the name of a built-in study; model: another model than the file's, if one was named; given:
    settings in place of the file's, as `--set` has them; settings: all of them, every default written out; folder: what
    paths in the file are relative to.
    """

    what: str
    model: str | None
    given: tuple[str, ...]
    settings: room.Study = field(repr=False)
    folder: Path = field(repr=False)

    @classmethod
    def load(
        cls,
        what: str | os.PathLike[str],
        *,
        model: str | os.PathLike[str] | None = None,
        given: Sequence[str] = (),
    ) -> Self:
        """Read a study file, or a built-in study by its name.

        model: in place of the file's, a folder, a hub id or a known name; given: settings in place of the file's,
        `sft.epochs=2` each. Raises `InputError` with every problem of
        the file.
        """
        name, other = os.fspath(what), None if model is None else os.fspath(model)
        settings, folder = room.load_study(name, given)
        return cls(name, other, tuple(given), room.with_model(settings, other), folder)

    def set(self, key: str, value: Any) -> Self:
        """Another study, read anew, with one setting in place of the file's: `study.set("sft.epochs", 2)`.

        Raises `InputError` where there is no such setting, or it cannot have this value.
        """
        return self.load(self.what, model=self.model, given=[*self.given, f"{key}={json.dumps(value)}"])

    def check(self) -> Checked:
        """Find what is wrong with the study or its data. What is found is returned, and none of it raised."""
        looked: list[room.Looked] = []
        shown = as_text(lambda console: looked.append(room.look_at_study(self.settings, self.folder, console)))
        (found,) = looked
        return Checked(found.problems, found.warnings, [one.preflight for one in found.tasks], shown)

    def plan(self, *, devices: int | None = None, memory_gib: float | None = None, tflops: float | None = None) -> Plan:
        """How much memory, work and time the study needs. Trains nothing.

        Of this machine, which is measured, or of another: how many `devices` it has, the memory of one of them in GiB,
        and what its matrix products reach, in 10^12 operations a second. Raises `InputError` where the study or its
        data cannot be used, or the other machine is not described in full.
        """
        on = room.machine(devices, memory_gib, tflops)
        return room.plan_with_progress(room.read_planned(self.settings, self.folder), on, live_console())

    def run(self, output_dir: str | os.PathLike[str] | None = None) -> Results:
        """Train and compare the arms on the same held-out patients. Continues where it was stopped.

        output_dir: the run folder; by default runs/<name> in the working directory, with another model
        runs/<name>-<model>. Writes report.html there. Raises `InputError` before any training when something is wrong
        with the study, its data or the folder. What fails later costs an arm: see `Results.failed`.
        """
        run_folder = (
            room.usual_run_folder(self.settings, self.model)
            if output_dir is None
            else path_of(output_dir, "output_dir")
        )
        command = study_command(self.what, self.model, self.given)
        run_and_report(self.settings, self.folder, run_folder, live_console(), command)
        return Results.load(run_folder)
