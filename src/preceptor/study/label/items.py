"""What raters are shown of a study: two answers to training cases, or what two arms answered to held-out ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape

from preceptor.data import cases_by_patient
from preceptor.engine import NumericsChoice
from preceptor.errors import InputError, Problem
from preceptor.models import Policy, fingerprint, load_policy, load_tokenizer
from preceptor.preferences import Request, make_item, two_answers
from preceptor.preferences.labelling import COUNTS, Item
from preceptor.progress import progress
from preceptor.study.cases import Prepared, prepare
from preceptor.study.check import check_study
from preceptor.study.label.held_out import differing, held_out_answers, rated_arms, what_failed
from preceptor.study.run.folder import open_run_folder
from preceptor.study.run.session import numerics_of, write_what_is_studied
from preceptor.study.score import case_score
from preceptor.study.spec.paths import model_of
from preceptor.study.spec.study import SUPERVISED, Study
from preceptor.study.stage_tree.tree import StageTree
from preceptor.tasks import Example, Task

_MOST_ASKED = 5
"""Times as many cases as are wanted: so many are tried before it is accepted that answers hardly ever differ."""


def items_to_label(
    study: Study,
    base_folder: Path,
    run_folder: Path,
    console: Console,
    *,
    cases: int = 40,
    held_out: bool = False,
    scores: bool = False,
) -> list[Item]:
    """At most `cases` cases of each task whose two answers differ, drawn by patient with the study's split seed.

    Training cases: the SFT policy's likeliest answer and a drawn one, else the untouched model's; SFT is trained first
    where it is not there. Held-out cases: what the two arms of the study's first primary contrast answered, first seed,
    to be scored. `scores` asks for points of training answers too. Raises `InputError` when something is wrong with the
    study, its data or the folder, when there are no held-out answers yet, and when no two answers differ.
    """
    if held_out:
        rated_arms(study, run_folder)  # before the folder is touched
    with _open(study, base_folder, run_folder, console) as (tree, tasks):
        make = partial(_held_out_items, cases=cases) if held_out else partial(_pair_items, cases=cases, scores=scores)
        items: list[Item] = []
        failed = ""
        for prepared in tasks:
            if held_out and (failed := what_failed(study, tree.run, prepared)):
                console.print(f"{escape(prepared.task.name)}: no held-out answers to compare: {escape(failed)}.")
                continue
            found = make(tree, prepared)
            items += found
            what = "held-out" if held_out else "training"
            console.print(f"{escape(prepared.task.name)}: {len(found)} {what} cases with two answers that differ.")
    if not items:
        what = "no case has two answers that differ, so there is nothing to compare"
        if failed:
            what = f"there are no two answers to compare: {failed}"
            fix = "Run `preceptor study` again with this folder: it tries again what failed."
            raise InputError(Problem(str(run_folder), what, fix))
        drawn = "Raise `samples` or change `temperature` under `pairs` in the study."
        raise InputError(Problem(str(run_folder), what, "Compare other arms." if held_out else drawn))
    return items


@contextmanager
def _open(
    study: Study, base_folder: Path, run_folder: Path, console: Console
) -> Iterator[tuple[StageTree, list[Prepared]]]:
    """The study's tasks and its SFT, as `run_study` would meet them; the run folder is this process's until the end."""
    with open_run_folder(run_folder) as run:
        # No server is asked and no vote is read here; a store of votes is what is about to be made.
        checked = check_study(study.model_copy(update={"arms": (SUPERVISED,), "makers": ()}), base_folder, console)
        numerics = numerics_of(study, run)
        study = study.model_copy(update={"numerics": NumericsChoice(**dict(numerics))})
        torch.set_num_threads(numerics.threads)
        if not run.study.exists():  # what is there belongs to its results
            write_what_is_studied(run, study, checked, base_folder)
        source = model_of(study, base_folder)
        tokenizer = load_tokenizer(source)
        show = partial(progress, console=console)
        tree = StageTree(study, numerics, source, fingerprint(source), run, show)
        yield tree, [prepare(one, study, tokenizer) for one in checked]


def _pair_items(tree: StageTree, prepared: Prepared, *, cases: int, scores: bool) -> list[Item]:
    order = _by_patient(prepared.splits.train, tree.study.split_seed)
    items: list[Item] = []
    for start in range(0, min(len(order), _MOST_ASKED * cases), cases):
        items += _pairs_of(tree, prepared, order[start : start + cases], scales_of(prepared.task) if scores else ())
        if len(items) >= cases:
            break
    return items[:cases]


def _pairs_of(tree: StageTree, prepared: Prepared, chosen: Sequence[int], scales: Sequence[str]) -> list[Item]:
    study, task, seed = tree.study, prepared.task, tree.study.seeds[0]
    trained = tree.outputs(SUPERVISED, prepared, seed)[-1].policy
    examples, settings = [prepared.splits.train[i] for i in chosen], study.block("pairs")

    def load(folder: Path | None) -> Policy:
        return load_policy(tree.source, folder, dtype=tree.numerics.torch_dtype)

    with tree.progress(f"{task.name}: answers to compare", 2 * len(examples)) as advance:
        request = Request(
            task=task,
            examples=examples,
            prompts=[prepared.train[i].prompt for i in chosen],
            score=lambda text, example: case_score(task, text, example),
            policy=load(trained),
            numerics=tree.numerics,
            seed=seed,
            samples=settings.samples,
            temperature=settings.temperature,
            advance=advance,
        )
        answers = two_answers(request, f"{SUPERVISED} seed {seed}", lambda rest: replace(rest, policy=load(None)))
    return [make_item(task, e, "pair", answers[e.id], scales) for e in examples if e.id in answers]


def _held_out_items(tree: StageTree, prepared: Prepared, *, cases: int) -> list[Item]:
    task, examples = prepared.task, prepared.splits.test
    answers = held_out_answers(tree.study, tree.run, prepared)
    if not answers:
        return []
    order = [i for i in _by_patient(examples, tree.study.split_seed) if differing(task, *answers[examples[i].id])]
    return [make_item(task, examples[i], "score", answers[examples[i].id], scales_of(task)) for i in order[:cases]]


def scales_of(task: Task) -> tuple[str, ...]:
    """What raters give points for: quality from 1 to 5, and of texts how much is left out and how much made up."""
    return ("quality",) if task.labels else ("quality", *COUNTS)


def _by_patient(examples: Sequence[Example], seed: int) -> list[int]:
    """Indices of all examples, patient after patient, in a seeded order of patients."""
    groups = [example.group for example in examples]
    return [index for cases in cases_by_patient(groups, f"{seed} raters").values() for index in cases]
