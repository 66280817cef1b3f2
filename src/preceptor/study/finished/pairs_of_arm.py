"""The pairs an arm of a finished run was trained on, with the prompts they answer."""

from functools import partial
from pathlib import Path

from rich.console import Console

from preceptor.engine import choose_numerics
from preceptor.errors import InputError, Problem
from preceptor.models import fingerprint, load_tokenizer
from preceptor.preferences.interchange import Row
from preceptor.progress import progress
from preceptor.study.cases import check_task, prepare
from preceptor.study.finished.run import AGAIN, Finished, read_finished
from preceptor.study.other_models import OtherModels
from preceptor.study.spec.found import find_kind
from preceptor.study.stage_tree.tree import MissingStage, StageTree
from preceptor.study.stages._pair_files import PAIRS, read_pairs


def rows_of_arm(run_folder: Path, task: str, arm: str, seed: int | None = None) -> list[Row]:
    """The arm's pairs, those trained on first, then those that chose its checkpoint (`part` says which).

    `seed` is the study's first by default. Prompts are as the task asks them, before a case that is too long is cut.
    Raises InputError where the run, the task or the arm has no such pairs, or the data are no longer what they were.
    """
    finished = read_finished(run_folder)
    seed = finished.study.seeds[0] if seed is None else seed
    finished.check_not_failed(task, arm, seed)
    study = finished.study
    cells = [cell for cell in finished.results.cells if study.takes_pairs(study.arm(cell.arm))]
    finished.check_known(
        cells, task, arm, seed, lambda _, given: f"this run has no pairs for {given}", "It has pairs for"
    )
    return _rows(finished, task, arm, seed)


def _rows(finished: Finished, task: str, arm: str, seed: int) -> list[Row]:
    study, run, source = finished.study, finished.run, finished.source()
    tokenizer = load_tokenizer(source)
    others = finished.other_models() if study.arm(arm).model else OtherModels()
    prepared = prepare(check_task(finished.cases(task), study, tokenizer), study, tokenizer, others)
    quiet = partial(progress, console=Console(quiet=True))
    numerics = choose_numerics(study.numerics)
    hashed, votes = fingerprint(source), finished.votes()
    tree = StageTree(study, numerics, source, hashed, run, quiet, votes, others=others.here)
    stages = tree.find(arm, prepared, seed)
    if isinstance(stages, MissingStage):
        what = f"the stages of {arm} that fit its study, data and model are not in the folder"
        raise InputError(Problem(str(run.root), what, AGAIN))
    file = next(stage.folder for stage in stages if find_kind(stage.kind).makes == "pairs") / PAIRS
    shown = prepared.seen(study.arm(arm).view)
    examples = {example.id: example for example in (*shown.splits.train, *shown.splits.validation)}
    rows = []
    for part, pairs in zip(("train", "validation"), read_pairs(file, shown), strict=True):
        for pair in pairs:
            example = examples[pair.example_id]
            turns, extra = tuple(shown.task.messages(example)), {"origin": pair.origin, "part": part}
            rows.append(Row(example.id, example.group, turns, example.target, pair.chosen, pair.rejected, extra))
    return rows
