"""Deleting what a run folder holds of patients. What is not known to hold nothing of them goes."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from preceptor.errors import InputError, Problem
from preceptor.files import digest_file, write_json
from preceptor.study.disclosure import FEWEST_PATIENTS, RARE
from preceptor.study.run.external_data import external_data
from preceptor.study.run.folder import LOCK, RunFolder, run_lock
from preceptor.study.run.purge_mark import MARK, purge_mark

_STAYS = (
    r"study\.yaml|results\.json|preflight\.json|design(-\d+)?\.json|tasks/[^/]+\.yaml"
    r"|stages/[^/]+/(adapter|model|slots)/README\.md"
    rf"|{re.escape(MARK)}|{re.escape(LOCK)}"
)
_KEPT = "the results, and what says how they were made"
_GOES = (
    (r"cells/.+", "what the arms answered"),
    (r"stages/[^/]+/pairs\.jsonl", "pairs of answers to train on"),
    (r"stages/[^/]+/checkpoints/.+", "training under way, checkpoints included"),
    (r"stages/[^/]+/(adapter|model|slots)/.+", "tuned models, which may repeat what they learned"),
    (r"stages/[^/]+/states\.safetensors", "states of training cases"),
    (r"stages/.+", "records of the stages"),
    (r"models/.+", "what small nets know of training cases"),
    (r"references/.+", "log-probabilities of DPO's reference"),
    (r"labels/.+", "what raters were shown and said"),
    (r"trackers/.+", "what trackers logged"),
    (r"report\.html", "the report"),
    (r"study_folder\.json", "where the study file lay"),
    (r".+", "other files"),
)
_LAST = ("results.json", "preflight.json", "study.yaml", MARK, LOCK)
"""Of a run that is deleted whole: what is deleted last, in this order, so that an interrupted purge still knows it."""


@dataclass(slots=True)
class Holding:
    """Files of one kind that will be deleted: their paths in the run folder, and bytes."""

    what: str
    files: list[str] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Purge:
    """What there is to delete in a run folder, and who else holds something of it; `delete` deletes.

    `links` are symbolic links in it, with what they point to: the link goes, its target is never touched.
    """

    root: Path
    everything: bool
    holdings: list[Holding]
    stays: list[str]
    links: list[tuple[str, str]]
    elsewhere: list[tuple[str, str]]

    @property
    def before(self) -> dict[str, Any] | None:
        """The mark of an earlier purge: `ended` is null when it was interrupted."""
        return purge_mark(self.root)

    def delete(self) -> None:
        """Delete it. What is interrupted goes on when the same is asked again.

        Raises `InputError` when something cannot be deleted.
        """
        mark = self.before or {"begun": _now(), "ended": _now(), "deleted": []}
        if mark["ended"] is not None:
            mark["deleted"] += [{"what": one.what, "files": len(one.files), "bytes": one.size} for one in self.holdings]
        write_json(self.root / MARK, mark | {"ended": None})  # from now on nothing works in this folder
        for name in sorted({name for one in self.holdings for name in one.files} - set(_LAST)):
            _unlink(self.root / name)
        _remove_empty_folders(self.root)
        if self.everything:
            for name in _LAST:
                _unlink(self.root / name)
            self.root.rmdir()
        else:
            _take_ids_out(RunFolder(self.root))
            write_json(self.root / MARK, mark | {"ended": _now()})


@contextmanager
def open_purge(run_folder: Path, *, everything: bool = False) -> Iterator[Purge]:
    """Look at what a run folder holds, and keep every other process out of it until the block ends.

    With `everything`, the results go too, and the folder. Raises `InputError` when this is no run folder, or when a
    study or a labelling page works in it.
    """
    root = run_folder.resolve()
    _check_is_run(run_folder, root)
    labels = root / "labels"
    with run_lock(root), ExitStack() as rounds:
        # Of a link only the link itself is deleted: nothing is touched where it leads to.
        for store in () if labels.is_symlink() else sorted(labels.glob("*.sqlite")):
            rounds.enter_context(_round_ended(store))
        yield _look(root, everything=everything)


def _look(root: Path, *, everything: bool) -> Purge:
    stays: list[str] = []
    links: list[tuple[str, str]] = []
    goes = [(_STAYS, _KEPT), *_GOES] if everything else _GOES
    holdings = {what: Holding(what) for _, what in goes}
    mark = purge_mark(root)
    written_after = {"report.html"} if mark and mark["ended"] and not everything else set()
    for path in _entries(root):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            links.append((name, str(path.readlink())))
        if name in written_after or (not everything and re.fullmatch(_STAYS, name)):
            stays.append(name)
            continue
        holding = holdings[next(what for pattern, what in goes if re.fullmatch(pattern, name))]
        holding.files.append(name)
        holding.size += path.lstat().st_size
    found = [one for one in holdings.values() if one.files]
    return Purge(root, everything, found, stays, links, external_data(RunFolder(root)))


def _entries(root: Path) -> Iterator[Path]:
    """Every file below `root`, and every link, which is not followed."""
    for folder, folders, files in os.walk(root, followlinks=False):
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in sorted([*linked, *files]))


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        what = f"it cannot be deleted ({os.strerror(error.errno or 0).lower()})"
        fix = "Make its folder writable, and run the same command again: it goes on."
        raise InputError(Problem(str(path), what, fix)) from error


def _remove_empty_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False, followlinks=False):
        path = Path(folder)
        if path != root and not any(path.iterdir()):
            path.rmdir()


def _take_ids_out(run: RunFolder) -> None:
    """What the check counted stays for the report; which case was in which split, and whom it named, does not."""
    if run.preflight.exists():
        _clean_preflight(run.preflight)
    _clean_results(run)


def _clean_preflight(file: Path) -> None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        without = {task: _without_ids(entry) for task, entry in told.items()}
    except (ValueError, KeyError, TypeError, AttributeError):  # damaged: nothing of it can be told apart
        file.unlink()
        return
    write_json(file, without)


def _clean_results(run: RunFolder) -> None:
    """What may be one patient's own in the results goes, whatever became of the preflight."""
    try:
        results = json.loads(run.results.read_text(encoding="utf-8"))
        _without_own_values(results)
        if run.preflight.exists():
            results["made_from"][run.preflight.name] = digest_file(run.preflight)
    except (OSError, ValueError, KeyError, TypeError):
        return  # no results, or none that say what they were made from
    write_json(run.results, results)


def _without_ids(entry: dict[str, Any]) -> dict[str, Any]:
    """A task's entry in `preflight.json` with counts only."""
    kept = ("task", "counts", "lengths", "read", "refused", "sha256", "not_drawn", "encodings")
    return {name: entry[name] for name in kept if name in entry} | {
        "findings": [_without_names(one) for one in entry["findings"]]
    }


def _without_names(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding with how many cases it is about, never which. Sentences of earlier versions may name some and go."""
    if "code" not in finding:
        told = {
            "level": finding["level"],
            "where": "the data",
            "what": "found by an earlier version, which named cases",
        }
        return {"code": "earlier_version", **told, "fix": "", "split": None, "cases": len(finding["ids"]), "ids": []}
    kept = ("code", "level", "where", "what", "fix", "split", "cases")
    return {name: finding[name] for name in kept} | {"ids": []}


def _without_own_values(results: dict[str, Any]) -> None:
    """What may be one patient's own: values of groups of a few patients, which earlier versions told, and of the dates
    of the held-out cases, of which the first and the last are each a patient's, all but the years.
    """
    for task in results["study"]["tasks"]:
        for number, group in enumerate(task.get("subgroups", []), 1):
            if group["patients"] < FEWEST_PATIENTS and group["value"] != RARE:
                group["value"] = f"{RARE} ({number})"
        if task.get("dates"):
            task["dates"] = {end: day[:4] for end, day in task["dates"].items()}


@contextmanager
def _round_ended(store: Path) -> Iterator[None]:
    """Nobody labels meanwhile. Raises `InputError` when the page of this round is open."""
    try:
        held = FileLock(store.with_name(f"{store.name}.lock"), mode=0o600).acquire(timeout=0)
    except Timeout as error:
        what = "raters are at work on this round"
        raise InputError(Problem(str(store), what, "Stop `preceptor label` first.")) from error
    with held:
        yield


def _check_is_run(named: Path, root: Path) -> None:
    begun = all((root / name).is_file() for name in ("study.yaml", "preflight.json"))
    nothing_else = root.is_dir() and {path.name for path in root.iterdir()} <= {LOCK, MARK}
    if (root / LOCK).is_file() and (begun or nothing_else or (root / MARK).is_file()):
        return
    what = (
        "this is not the folder of a run, so nothing in it is deleted" if root.is_dir() else "there is no such folder"
    )
    raise InputError(Problem(str(named), what, "Name a run folder, such as runs/notes."))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
