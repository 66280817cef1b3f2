"""What a study file names by a path, relative to its own folder: its model, votes and gold labels."""

from collections.abc import Callable
from pathlib import Path

from preceptor.files import expanded, is_folder
from preceptor.models import ModelSource, find_model
from preceptor.study.spec.model_entry import ModelEntry
from preceptor.study.spec.study import Study, TaskEntry


def model_of(study: Study, base_folder: Path) -> ModelSource:
    """The study's model; a folder is named relative to the study file, as its data is."""
    source = named_model(study.model, base_folder)
    return source.in_4bit() if study.load_in_4bit else source


def named_model(model: str, base_folder: Path) -> ModelSource:
    """The model that a study file names, as `model` or among its `models`."""
    beside = base_folder / expanded(model)
    # `models/tiny` beside a folder `models/` is a path, if perhaps a mistyped one, and never asked for at the hub.
    is_path = is_folder(beside) or ("/" in model and is_folder(beside.parent))
    return find_model(str(beside) if is_path else model)


def further_model(
    entry: ModelEntry, base_folder: Path, find: Callable[[str, Path], ModelSource] = named_model
) -> ModelSource:
    """One of a study's `models`, or its first layers; `find` finds the whole."""
    source = find(entry.model, base_folder)
    return source if entry.layers is None else source.first_layers(entry.layers)


def votes_of(study: Study, base_folder: Path) -> Path | None:
    """The store of votes that the study names, relative to its file."""
    return base_folder / expanded(study.votes) if study.votes else None


def interactions_of(entry: TaskEntry, base_folder: Path) -> Path | None:
    """The table of pairs that interact that a task names, relative to the study file."""
    return base_folder / expanded(entry.interactions) if entry.interactions else None


def gold_of(entry: TaskEntry, base_folder: Path) -> Path | None:
    """The store of gold labels that a task names, relative to the study file."""
    return base_folder / expanded(entry.gold) if entry.gold else None
