"""A tiny study read, split and encoded, with nothing trained yet."""

from pathlib import Path
from typing import Any

from preceptor.study import Study, load_study
from preceptor.study.cases import Prepared, check_task, prepare, read_task
from tiny_study import write_study, write_table

DATA = {"path": "cases.csv", "target": "urgency", "group": "patient"}


def prepare_tiny(
    folder: Path, tokenizer: Any, *, patients: int = 150, limit: dict[str, int] | None = None, **changes: Any
) -> tuple[Study, Prepared]:
    """A study of one label task, with `changes` as in `write_study`."""
    write_table(folder / "cases.csv", patients=patients)
    entry = {"task": "urgency.task.yaml", "data": DATA, "limit": limit or {}}
    study, base = load_study(str(write_study(folder, Path("unused"), **{"tasks": [entry], **changes})))
    return study, prepare(check_task(read_task(study.tasks[0], study, base), study, tokenizer), study, tokenizer)
