"""Stage kinds, ways of answering and outcomes, found by the name of their file when a study file names them.

They stand on higher floors than the study file does, so nothing here is imported before it is asked for.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel

_STUDY = Path(__file__).parents[1]


class Kind(Protocol):
    """What `stages/<kind>.py` has: a stage kind, by its file's name.

    title, explanation: for reports. curves: what of its training history is drawn. makes: what comes out of it.

    It may have `goes_on = True`, where it trains for `context.budget` when that is given (see `stages/sft.py`);
    `inputs(context)`, what the key holds in place of its settings; `unsupported_reason(stage, prepared)`, why it cannot
    work on a task; `work(context)`, how much work it is, for plans; `how_trained(settings, adapter)`, for methods
    (`adapter`: what learned in words, "" where only a head did);
    `problems(settings, base_folder)`, what `check` should refuse of its settings; `refused(stage, study, cases)`, what
    it should refuse of it on a task, whose `TaskCases` they are, and `caution(stage, study, cases)`, what it should say
    though it can be trained; `answer`, how an arm that ends with it answers where nothing is said; `trains_head =
    True`, where it trains a head, on the task's labels unless it has `own_head`: the name of a slot that no user can
    give, of a head of its own, which answers no task, so that no arm ends with it and what comes behind it has a new
    head;
    `learns_targets = True`, where a stage of it may have `toward`: further targets that another stage made;
    `model`, the embedded model of an arm that begins with it, unless the study's `models` names one by the name of the
    kind: such an arm is a control, a simpler way, and is left out where that model is not on the machine.
    """

    title: str
    explanation: str
    curves: tuple[str, ...]
    makes: Literal["policy", "pairs", "targets"]
    Settings: type[BaseModel]
    """Its block in the study file; a task may have one of its own."""
    needs: Callable[[str], tuple[str, ...]]
    """`needs(name)`: kinds of stage that are put before a stage of this name, where none stands there already."""
    data: Callable[[Any], Any]
    """`data(context)`: what it learns from, made once a run; its digest is part of the stage's key."""
    run: Callable[[Any, Any], Any]
    """`run(context, data)`: do the work in `context.folder` and return a `Result`."""


class WayOfAnswering(Protocol):
    """What `answers/<name>.py` has: how an arm answers held-out cases, by its file's name.

    title, explanation: of the arm that does nothing else. phrase: its name within a sentence. deterministic: whether
    every seed gives the same answers. asks_policy: whether it is the arm's policy that answers. language_model: whether
    a language model answers at all.
    """

    title: str
    phrase: str
    explanation: str
    deterministic: bool
    asks_policy: bool
    language_model: bool
    """It may have `needs_head = True`, where it reads a head that the arm's last stage trained."""
    unsupported_reason: Callable[[Any], str | None]
    """`unsupported_reason(task)`: why it cannot answer a task; None where it can."""
    key: Callable[[Any], Any]
    """`key(context)`: what its answers depend on beside the policy and the held-out cases."""
    answer: Callable[[Any], Any]
    """`answer(context)`: `Answering`, which holds what answers the cases."""


class AlsoAsked(Protocol):
    """What `outcomes/<name>.py` has: what arms are asked beside their task, by its file's name in `also`.

    title, explanation: for reports.
    """

    title: str
    explanation: str
    Settings: type[BaseModel]
    problems: Callable[[Any, Path], list[Any]]
    """`problems(settings, base_folder)`: what `check` should refuse of its settings."""
    items: Callable[[Any], list[Any]]
    """`items(asked)`: texts that policies are asked, the same for all arms of a model."""
    figures: Callable[[Any], list[Any]]
    """`figures(items)`: what is worked out of the items' rows."""
    warnings: Callable[[Any], list[str]]
    """`warnings(items)`: what the authors of the sets that they are of say against these."""


def kind_names() -> tuple[str, ...]:
    """The stage kinds there are."""
    return _members("stages")


def find_kind(name: str) -> Any:
    """The `Kind` in `stages/<name>.py`. Raises `KeyError` when there is none."""
    return _member("stages", name)


def kind_title(name: str) -> str:
    """The title of a stage kind; the name itself of one that is no longer there, as in results of another version."""
    return str(find_kind(name).title) if name in kind_names() else name.upper()


def answer_names() -> tuple[str, ...]:
    """The ways of answering there are."""
    return _members("answers")


def find_answer(name: str) -> Any:
    """The `WayOfAnswering` in `answers/<name>.py`. Raises `KeyError` when there is none."""
    return _member("answers", name)


def outcome_names() -> tuple[str, ...]:
    """What arms can be asked beside their task."""
    return _members("outcomes")


def find_outcome(name: str) -> Any:
    """The `AlsoAsked` in `outcomes/<name>.py`. Raises `KeyError` when there is none."""
    return _member("outcomes", name)


def find_settings(name: str) -> type[BaseModel] | None:
    """The `Settings` of a stage kind, a way of answering or an outcome; None for one that has none."""
    find = find_kind if name in kind_names() else find_outcome if name in outcome_names() else find_answer
    found = find(name)
    settings: type[BaseModel] | None = getattr(found, "Settings", None)
    return settings


@cache
def _members(folder: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (_STUDY / folder).glob("[!_]*.py")))


def _member(folder: str, name: str) -> Any:
    if name not in _members(folder):
        raise KeyError(name)
    return import_module(f"preceptor.study.{folder}.{name}")
