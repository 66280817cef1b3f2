"""What an arm's policy gave to an outcome's items: found in the run folder, or asked now."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from preceptor.engine import release_memory
from preceptor.files import JsonLog, digest, private_folder, write_json, write_jsonl
from preceptor.models import load_policy, load_tokenizer, writes
from preceptor.progress import Advance
from preceptor.study.asked_items import Asked, Item, rows_of
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answering import cell_folder, seedless
from preceptor.study.run.failures import CellError, Failure, Part
from preceptor.study.run.locks import folder_lock
from preceptor.study.run.reading import reading
from preceptor.study.spec.found import find_answer, find_outcome
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.ledger import StageOutput
from preceptor.study.stage_tree.tree import StageTree

_BATCH = 128
"""Items whose numbers are on disk before the next are asked."""
Rows = Callable[..., list[dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Given:
    """An outcome of one arm with one seed: its items, and a row of numbers for each."""

    items: list[Item] = field(repr=False)
    rows: list[dict[str, float]] = field(repr=False)


def why_not_asked(tree: StageTree, arm: str) -> str | None:
    """Why an arm is asked nothing beside its task; None where it is."""
    one = tree.study.arm(arm)
    if not find_answer(one.answer).asks_policy:
        return "no model of the study answers"
    if one.model is not None and one.model not in tree.others:
        return "its model is not on this machine"
    if not writes(tree.source_of(one.model)):
        return "its model reads and does not write"
    return None


def also_asked(
    tree: StageTree, prepared: Prepared, arm: str, seed: int, stages: list[StageOutput]
) -> Mapping[str, Given]:
    """What the arm's policy gives to each outcome that the study names. One that fails costs no answer to the task: it
    is left out, and `failed_of` tells why.
    """
    if not tree.study.also or why_not_asked(tree, arm):
        return {}
    found: dict[str, Given] = {}
    for name in tree.study.also:
        with suppress(CellError), tree.costs_one_cell(_part(prepared, arm, seed, name), prepared):
            found[name] = _given(tree, prepared, arm, seed, stages, name)
    return found


def failed_of(tree: StageTree, name: str) -> list[Failure]:
    """Which arms could not be asked an outcome in this run, and why; each is asked again by the next one."""
    return [
        cause.of_cell(part.task, tree.source.name, part.arm, part.seed)
        for part, cause in tree.failures.items()
        if part.stage == _stage(name)
    ]


def _part(prepared: Prepared, arm: str, seed: int, name: str) -> Part:
    return Part(prepared.task.name, arm, seed, _stage(name))


def _stage(name: str) -> str:
    """How a failure of an outcome is told where others name a stage."""
    return f"also {name}"


@dataclass(frozen=True, slots=True)
class _Question:
    """An outcome's items as an arm is asked them. key: names what its numbers depend on. file: where they are kept."""

    items: list[Item] = field(repr=False)
    key: str
    file: Path


def share_left(
    tree: StageTree, prepared: Prepared, arm: str, seed: int, stages: list[StageOutput] | None, name: str
) -> tuple[list[Item], float]:
    """The items of an outcome, and the share that an arm was not asked yet; all where its `stages` do not stand.

    Raises `InputError` where there is nothing to ask.
    """
    if stages is None:
        return _items(tree, prepared, arm, seed, name), 1.0
    one = _question(tree, prepared, arm, seed, stages, name)
    if _kept(one.file, one.key, len(one.items)) is not None:
        return one.items, 0.0
    return one.items, 1 - len(_begun(one.file, one.key) or []) / len(one.items)


def _items(tree: StageTree, prepared: Prepared, arm: str, seed: int, name: str) -> list[Item]:
    study, one = tree.study, tree.study.arm(arm)
    words, given = load_tokenizer(tree.source_of(one.model)), prepared.given_to(one, seed)
    items: list[Item] = find_outcome(name).items(Asked(study, study.block(name), given, words, tree.base_folder))
    return items


def _question(
    tree: StageTree, prepared: Prepared, arm: str, seed: int, stages: list[StageOutput], name: str
) -> _Question:
    study, items = tree.study, _items(tree, prepared, arm, seed, name)
    of_policy = stages[-1].key if stages else tree.hash_of(study.arm(arm).model)
    key = digest([name, of_policy, tree.numerics.answering.model_dump(), [_plain(item) for item in items]])
    seed = study.seeds[0] if seedless(study, arm) else seed
    return _Question(items, key, cell_folder(tree, prepared, arm, seed) / "also" / f"{name}.json")


def _given(tree: StageTree, prepared: Prepared, arm: str, seed: int, stages: list[StageOutput], name: str) -> Given:
    one, numerics = _question(tree, prepared, arm, seed, stages, name), tree.numerics.answering
    items, key, file = one.items, one.key, one.file
    source, policy = tree.source_of(tree.study.arm(arm).model), stages[-1].policy if stages else None
    if (rows := _kept(file, key, len(items))) is None:
        private_folder(file.parent)
        with folder_lock(file.parent):
            if (rows := _kept(file, key, len(items))) is None:  # whoever was waited for may have asked
                release_memory()
                asked = load_policy(source, policy, dtype=numerics.torch_dtype)
                with tree.progress(f"{prepared.task.name}: {find_outcome(name).title} of {arm}", len(items)) as advance:
                    rows = _batch_by_batch(file, key, items, partial(rows_of, asked, numerics=numerics), advance)
    return Given(items, rows)


def _batch_by_batch(file: Path, key: str, items: list[Item], rows: Rows, advance: Advance) -> list[dict[str, float]]:
    """The rows of all items, written to `file`. Each batch is on disk before the next begins, and batches are always
    the same: what was killed goes on behind the last whole one.
    """
    log, found = _log(file), _begun(file, key)
    if found is None:
        write_jsonl(log.path, [{"key": key}])
        found = []
    advance(len(found))
    for start in range(len(found), len(items), _BATCH):
        batch = rows(items[start : start + _BATCH], advance=advance)
        log.append({"rows": batch})
        found += batch
    write_json(file, {"key": key, "rows": found})
    log.path.unlink(missing_ok=True)
    return found


def _begun(file: Path, key: str) -> list[dict[str, float]] | None:
    """The rows of whole batches that an earlier try with the same key asked; None where there was none."""
    with reading(_log(file).path):
        begun = _log(file).read()
        if not begun or begun[0]["key"] != key:
            return None
        return [row for batch in begun[1:] for row in batch["rows"]]


def _log(file: Path) -> JsonLog:
    return JsonLog(file.with_suffix(".part.jsonl"))


def _plain(item: Item) -> list[Any]:
    return [
        item.id,
        item.group,
        item.kind,
        dict(item.facts),
        [[[one.prompt, one.answer] for one in text] for text in item.texts],
    ]


def _kept(file: Path, key: str, items: int) -> list[dict[str, float]] | None:
    """The rows of exactly these items by exactly this policy, if they are there."""
    if not file.exists():
        return None
    with reading(file):
        found = json.loads(file.read_text(encoding="utf-8"))
        rows: list[dict[str, float]] = found["rows"]
        return rows if found["key"] == key and len(rows) == items else None


def left_out_of(study: Study, tree: StageTree) -> dict[str, str]:
    """Arm -> why it is asked nothing, where the study asks something."""
    reasons = {arm: why_not_asked(tree, arm) for arm in study.arm_names} if study.also else {}
    return {arm: why for arm, why in reasons.items() if why}
