"""The adapters and the head of an arm: where they lie in its run, and where in an export."""

from collections.abc import Iterable
from pathlib import Path

from preceptor.models import HEAD, Slot, saved_slots, slot_folders
from preceptor.study import ArmOfRun


def adapters_of(arm: ArmOfRun) -> dict[str, Slot]:
    """The arm's adapters by name; several act together."""
    slots = {} if arm.folder is None else saved_slots(arm.folder)
    return {name: slot for name, slot in slots.items() if slot.type != HEAD}


def folders_in_run(arm: ArmOfRun) -> dict[str, Path]:
    """Where each of the arm's adapters lies in its run."""
    folders = {} if arm.folder is None else slot_folders(arm.folder)
    return {name: folders[name] for name in adapters_of(arm)}


def folders_in_export(names: Iterable[str], folder: Path) -> dict[str, Path]:
    """Where each adapter lies in an export: one in the folder itself, several in a folder each."""
    names = list(names)
    return {name: folder / name if len(names) > 1 else folder for name in names}


def head_folder(arm: ArmOfRun) -> Path:
    """Where the head of an arm that answers by one lies in its run."""
    assert arm.folder is not None
    folders = slot_folders(arm.folder)
    return next(folders[name] for name, slot in saved_slots(arm.folder).items() if slot.type == HEAD)
