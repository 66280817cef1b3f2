"""The models that a study makes from settings and its training cases, each written as a folder like any model's."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.models import (
    LSTMSettings,
    MadeModel,
    ModelSource,
    fingerprint,
    holds_codes,
    load_tokenizer,
    made_source,
    make_code_sets,
    make_lstm,
)
from preceptor.study.cases import TaskCases, case_text, through_view
from preceptor.study.other_models import OtherModel, OtherModels, stages_on, tokens_read
from preceptor.study.spec.study import Study
from preceptor.text_pieces import as_lines


def with_made_models(
    others: OtherModels, study: Study, tasks: Sequence[TaskCases], folder: Path, find: Callable[[str], ModelSource]
) -> OtherModels:
    """The further models of a study, and those made in `folder`, each by its name; `find` finds those whose words one
    of them has.

    What a net of codes knows is what its arms are shown of training cases: nothing of held-out ones. Raises
    `InputError` for one in a study of more than one task, whose held-out cases may be another's training cases, where
    an arm is shown no codes, and for words that cannot be used.
    """
    made, problems = dict[str, OtherModel](), list[Problem]()
    for name, settings in made_settings(study).items():
        if isinstance(settings, LSTMSettings):
            try:
                made[name] = _other(study, make_lstm(name, settings, find(settings.words), folder / name))
            except InputError as error:
                problems += error.problems
            continue
        if len(study.tasks) > 1:
            what = f"it is made of the training cases of one task, and there are {len(study.tasks)}"
            problems.append(Problem(f"models: {name}", what, "Make a study of each task."))
            continue
        shown = _shown(study, name, tasks)
        if blind := [view for view, texts in shown.items() if not holds_codes(texts)]:
            seen = ", ".join(f"view {view}" if view else "the task's prompt" for view in blind)
            what = f"{seen} has no sets of codes, such as `D: D017; D203 | M: aspirin`"
            fix = (
                "Give each of its stages, by an arm, a `view` of a field that holds visits in codes: see docs/TASKS.md."
            )
            problems.append(Problem(f"models: {name}", what, fix))
            continue
        texts = [text for some in shown.values() for text in some]
        made[name] = _other(study, make_code_sets(name, settings, texts, folder / name))
    if problems:
        raise InputError(problems)
    return replace(others, here={**others.here, **made})


def kept_models(study: Study, folder: Path) -> dict[str, OtherModel]:
    """The same as a run made them in `folder`, without its cases."""
    return {name: _other(study, kept_source(study, name, folder)) for name in made_settings(study)}


def kept_source(study: Study, name: str, folder: Path) -> ModelSource:
    """One of them. Raises `InputError` when it is no longer there."""
    if not (folder / name / "config.json").is_file():
        fix = "Run `preceptor study` again with this folder; what is finished is not computed again."
        raise InputError(Problem(str(folder / name), "the model that the run made is no longer there", fix))
    return made_source(name, made_settings(study)[name], folder / name)


def made_settings(study: Study) -> dict[str, MadeModel]:
    """The models that the study's arms have and that are made, by name."""
    return {name: model for name, model in study.other_models.items() if isinstance(model, MadeModel)}


def unknown_codes(tokenizer: Any, prompts: Sequence[list[int]]) -> tuple[int, int]:
    """How many codes of prompts a made model does not know, and how many there are."""
    count = Counter(one for prompt in prompts for one in prompt)
    codes = {
        one: times for one, times in count.items() if not tokenizer.convert_ids_to_tokens(one).endswith((" ", "\n"))
    }
    return codes.get(tokenizer.unk_token_id, 0), sum(codes.values())


def _other(study: Study, source: ModelSource) -> OtherModel:
    return OtherModel(source, load_tokenizer(source), tokens_read(study, source, source.name), fingerprint(source))


def _shown(study: Study, name: str, tasks: Sequence[TaskCases]) -> dict[str | None, list[str]]:
    """View -> the texts of training cases through it, of each view that a stage on the model is shown; None: the
    task's prompt.
    """
    (cases,) = tasks
    views = dict.fromkeys(stage.view for stage in stages_on(study, name))
    seen = {view: through_view(cases, view) for view in views if view is None or view in cases.entry.views}
    return {view: [as_lines(case_text(one.task, case)) for case in one.splits.train] for view, one in seen.items()}
