"""From a data frame to a study: its cases in a file, and the two files that `preceptor new` writes."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from preceptor._new import NewStudy, write_new
from preceptor.data import read_table, write_frame
from preceptor.errors import InputError, Problem
from preceptor.files import private_folder
from preceptor.interface.paths import path_of
from preceptor.interface.study import Study
from preceptor.models import EMBEDDED
from preceptor.study import model_from_here

if TYPE_CHECKING:
    from pandas import DataFrame


def new_study(
    frame: "DataFrame | Sequence[dict[str, Any]]",
    *,
    text: str | Sequence[str],
    target: str,
    group: str,
    folder: str | os.PathLike[str],
    date: str | None = None,
    name: str | None = None,
    model: str | os.PathLike[str] = EMBEDDED,
    arms: Sequence[str] | None = None,
    margin: float | None = None,
    overwrite: bool = False,
) -> Study:
    """Make a study of a data frame: write its cases, a task file and a study file to `folder`, to read and change.

    frame: a pandas DataFrame, or a list of dicts, one a row. text: the columns that the model reads; target: the column
    of right answers; group: the column of the patient, or `each row` if every row is another; date: a column that the
    model does not read. name: of the files and of the run, by default the folder's. model, arms, margin: the study's;
    docs/RUN_FOLDER.md has these and all other settings.

    The cases are patient data: a folder that is made here, and every file, is closed to other users. Raises
    `InputError` with every problem; existing files are replaced only with `overwrite`.
    """
    folder = path_of(folder, "folder")
    name = name or folder.resolve().name
    cases = path_of(folder / f"{name}.parquet", "name")
    if cases.exists() and not overwrite:
        fix = "Choose another folder or name, say overwrite=True, or go on with the study file there: Study.load(...)."
        raise InputError(Problem(str(cases), "this file exists already", fix))
    texts = [text] if isinstance(text, str) else list(text)
    said = NewStudy(texts, target, group, date, model_from_here(os.fspath(model)), arms, margin)
    try:
        if not folder.exists():
            private_folder(folder)
        with TemporaryDirectory(dir=folder, prefix=".") as aside:
            written = Path(aside) / cases.name
            write_frame(frame, written)
            files = write_new(
                replace(read_table(written), path=cases),
                folder,
                name,
                said,
                overwrite=overwrite,
            )
            written.replace(cases)
    except OSError as error:
        what = f"cannot write here: {error.strerror}"
        raise InputError(Problem(str(folder), what, "Choose another folder")) from None
    try:
        return Study.load(files.study)
    except InputError:  # of the settings that were given here: the same call, put right, finds no files in its way
        if not overwrite:
            for file in (cases, files.task, files.study):
                file.unlink()
        raise
