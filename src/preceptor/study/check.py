"""Everything about a study that can be found wrong before anything is trained."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.markup import escape

from preceptor.chat_server import ChatServer, find_server
from preceptor.engine import find_tracker
from preceptor.errors import InputError, Problem
from preceptor.models import ModelSource, context_length, load_tokenizer, writes
from preceptor.preferences import find_maker
from preceptor.study.cases import Checked, check_task, read_task
from preceptor.study.check_cases import READ_IN_CHUNKS, look_at_cases
from preceptor.study.check_slots import idle_settings, unfit_slots
from preceptor.study.made_models import made_settings, with_made_models
from preceptor.study.other_models import (
    OtherModel,
    OtherModels,
    find_other_models,
    reads_in_pieces,
    stages_of,
    vectors_in_front,
)
from preceptor.study.spec.found import find_answer, find_kind, find_outcome
from preceptor.study.spec.paths import gold_of, model_of, named_model, votes_of
from preceptor.study.spec.study import Study

_OF_ON_POLICY = ("chosen_from", "min_gap", "min_score", "max_length_difference")
"""Settings of pairs that would be ignored in silence with other makers."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A study with its cases read. problems: all that is fatal; warnings: what is not, beside what `tasks` found."""

    tasks: list[Checked]
    problems: list[Problem]
    warnings: list[Problem]


def check_study(study: Study, base_folder: Path, console: Console) -> list[Checked]:
    """Read and look at every task's cases before anything is trained. Raises `InputError` with all that is fatal."""
    looked = look_at_study(study, base_folder, console)
    if looked.problems:
        raise InputError(looked.problems)
    return looked.tasks


def look_at_study(study: Study, base_folder: Path, console: Console) -> Looked:
    """Read and look at every task's cases, show on `console` what was found in them, and gather all that is wrong."""
    problems: list[Problem] = []
    own, others = None, OtherModels()
    try:
        source = model_of(study, base_folder)
        own = OtherModel(source, load_tokenizer(source), study.max_length, "")
        problems += unfit_model(source, study) + too_long_for(source, study)
    except InputError as error:
        problems += error.problems
    try:
        others = find_other_models(study, base_folder)
        for name, model in others.here.items():
            problems += unfit_model(model.source, study, name)
            problems += too_long_for(model.source, study, name) if writes(model.source) else []
    except InputError as error:
        problems += error.problems
    warnings = [*idle_models(study), *idle_settings(study), *left_out(study, others)]
    for warning in warnings:
        console.print(f"[yellow]warning[/yellow] {escape(str(warning))}")
    for way in {study.arm(arm).answer for arm in study.arm_names}:
        if isinstance(server := study.block(way), ChatServer):
            problems += find_server(server, way)
    problems += idle_pair_settings(study)
    for stage in stages_of(study):
        kind = find_kind(stage.kind)
        for entry in study.tasks if hasattr(kind, "problems") else ():
            problems += [
                one for one in kind.problems(study.settings_of(stage, entry), base_folder) if one not in problems
            ]
    for name in study.also:
        problems += find_outcome(name).problems(study.block(name), base_folder)
    if study.judge and "judge" in study.maker_settings:
        problems += find_server(study.judge, "judge")
    problems += find_tracker(study.report_to) if study.report_to else []
    if "votes" in study.maker_settings and (store := votes_of(study, base_folder)) and not store.is_file():
        fix = "Run `preceptor label` with this study first, or put `votes` right."
        problems.append(Problem(str(store), "there is no store of votes here", fix))
    for entry in study.tasks:
        if (gold := gold_of(entry, base_folder)) and not gold.is_file():
            fix = "Put `gold` right, or take it out."
            problems.append(Problem(str(gold), "there is no store of gold labels here", fix))
    checked: list[Checked] = []
    for entry in study.tasks:
        try:
            one = read_task(entry, study, base_folder)
            if own is not None:
                checked.append(check_task(one, study, own.tokenizer))
        except InputError as error:
            problems += error.problems
    with TemporaryDirectory() as folder:  # a run keeps what it makes
        try:
            if len(checked) == len(study.tasks):  # else what is wrong with the data is said, and there are none to make
                words = partial(named_model, base_folder=base_folder)
                others = with_made_models(others, study, checked, Path(folder), words)
            for name in (one for one in made_settings(study) if one in others.here):
                problems += unfit_model(others.here[name].source, study, name)
        except InputError as error:
            problems += error.problems
        if own is not None:
            found = look_at_cases(study, checked, own, others, console)
            problems += found[0]
            warnings += found[1]
    for maker in study.makers:
        why = [find_maker(maker).unsupported_reason(each.task, each.splits.train) for each in checked]
        if why and all(why):
            problems.append(Problem("makers", f"{maker} can make pairs for no task: {why[0]}", "Take it out."))
    names = [one.task.name for one in checked]
    problems += [
        Problem(f"task {name}", "it stands twice in the study", "Give each task file a name of its own.")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    return Looked(checked, problems, warnings)


def unfit_model(source: ModelSource, study: Study, name: str | None = None) -> list[Problem]:
    """What a model cannot do of what its arms ask: write, or have the slots. name: as of `unfit_slots`."""
    return cannot_write(source, study, name) or unfit_slots(source, study, name)


def cannot_write(source: ModelSource, study: Study, name: str | None) -> list[Problem]:
    """The model's arms that write, if it is an encoder, which does not."""
    if writes(source):
        return []
    fix = "End it with `classify`, or name a causal model."
    what = f"it writes text, and {source.title} is an encoder"
    arms = (arm for arm in study.arm_names if study.arm(arm).model == name)
    return [Problem(f"arms: {arm}", what, fix) for arm in arms if _writes(study, arm)]


def idle_models(study: Study) -> list[Problem]:
    """The models that the study names and that no stage of an arm asks for."""
    fix = "Name it as the `model` of a stage, and that stage in an arm, or take it out."
    idle = [name for name in study.models if name not in study.other_models]
    return [Problem(f"models: {name}", "no stage of an arm asks for it, so it does nothing", fix) for name in idle]


def left_out(study: Study, others: OtherModels) -> list[Problem]:
    """The arms that are left out because an embedded model is not on this machine."""
    named = [(arm, others.absent.get(name)) for arm in study.arm_names for name in study.models_of(arm)]
    fix = "Fetch it first, or go without the arm."
    return [Problem(f"arms: {arm}", f"it is left out: {why}", fix) for arm, why in named if why]


def _writes(study: Study, arm: str) -> bool:
    way, last = find_answer(study.arm(arm).answer), study.stage_of(arm)
    if way.asks_policy and not getattr(way, "needs_head", False):
        return True
    kinds = [find_kind(one.kind) for one in (last.lineage if last else ())]
    return any(not getattr(kind, "trains_head", False) for kind in kinds)


def idle_pair_settings(study: Study) -> list[Problem]:
    """Which pairs are kept is set for `on_policy`: said where no maker of a stage's pairs reads it."""
    makers: dict[str, list[str | None]] = {}
    asked: dict[str, set[str]] = {}
    for stage in stages_of(study):
        if find_kind(stage.kind).makes != "pairs":
            continue
        makers.setdefault(stage.name, []).append(stage.source)
        for entry in study.tasks:
            settings = study.settings_of(stage, entry).model_dump(exclude_defaults=True)
            asked.setdefault(stage.name, set()).update(settings.keys() & {*_OF_ON_POLICY})
    return [
        Problem(
            f"{name}: {setting}",
            f"it does nothing with pairs of {', '.join(one or 'the usual makers' for one in dict.fromkeys(named))}",
            "Take it out, or name `on_policy` in `makers`",
        )
        for name, named in makers.items()
        for setting in sorted(asked[name])
        if not any(setting in find_maker(one).settings for one in named)
    ]


def too_long_for(source: ModelSource, study: Study, name: str | None = None) -> list[Problem]:
    """That the study's `max_length` exceeds the model's context length, if it does and no chunks are read.

    name: as of `unfit_slots`.
    """
    encoder, known, front = not writes(source), context_length(source), vectors_in_front(study.slots)
    if known is None or study.max_length + front <= known or (encoder and reads_in_pieces(study, name)):
        return []
    more = f" beside {front} vectors in front of them" if front else ""
    what = f"{study.max_length} tokens are asked for{more}, and the context length of {source.title} is {known}"
    chunks = f", {READ_IN_CHUNKS}" if encoder else ""
    fix = f"Set it to {known - front} or less{chunks}, or name a model with a longer one."
    return [Problem("max_length", what, fix)]
