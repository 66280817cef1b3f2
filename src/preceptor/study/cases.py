"""From a study's task entry to cases that are split, checked and turned into token ids."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

from preceptor.data import (
    Named,
    Preflight,
    Read,
    Splits,
    TooLong,
    cases_by_patient,
    few_of_each_label,
    fit,
    named_answers,
    preflight,
    read_examples,
    spike_problems,
    spiked,
    split_by_patient,
)
from preceptor.errors import InputError, Problem
from preceptor.evidence import metric_title
from preceptor.files import digest
from preceptor.models import Encoded, encode
from preceptor.strict_yaml import setting_in
from preceptor.study.interactions import Interactions, read_interactions
from preceptor.study.other_models import OtherModel, OtherModels
from preceptor.study.score import case_score, metric_problems, undefined_problems
from preceptor.study.spec.arms import Arm
from preceptor.study.spec.found import find_answer, find_kind
from preceptor.study.spec.paths import interactions_of
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study, TaskEntry
from preceptor.study.views import Seen, seen_through_views
from preceptor.tasks import Example, Split, Task, load_task, task_file

Asked = tuple[list[int], Example]
"""The token ids of a prompt, and the case as it shows it, cut where it was too long."""
_NO_OTHERS = OtherModels()


@dataclass(frozen=True, slots=True)
class TaskCases:
    """A task with its cases, read and split. `not_drawn` counts the cases that `limit` left out of each split."""

    entry: TaskEntry
    task: Task
    task_yaml: str = field(repr=False)
    splits: Splits = field(repr=False)
    not_drawn: dict[str, int]
    read: Read = field(repr=False)
    interactions: Interactions | None = field(default=None, kw_only=True)

    @property
    def where(self) -> str:
        """How a message names the data."""
        return f"{self.entry.data.path or 'built-in cases'}, task {self.task.name}"

    @property
    def views(self) -> dict[str, Seen]:
        """What each view of the task shows, made anew each time. Raises `InputError` for a field there is not."""
        return seen_through_views(self.entry, self.task, self.splits, self.where)

    @property
    def synthetic(self) -> bool:
        """Whether these are built-in cases, written by a program."""
        return self.entry.data.cases is not None


@dataclass(frozen=True, slots=True)
class Checked(TaskCases):
    """A task whose cases were looked at, before anything is encoded."""

    preflight: Preflight


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked task as the engine needs it."""

    entry: TaskEntry
    task: Task
    splits: Splits = field(repr=False)
    train: list[Encoded] = field(repr=False)
    validation: list[Encoded] = field(repr=False)
    test: list[list[int]] = field(repr=False)
    """Prompts of the held-out cases."""
    shown: list[Example] = field(repr=False)
    """The held-out cases as those prompts show them, cut where they were too long."""
    synthetic: bool = False
    label_answers: list[list[int]] = field(default_factory=list, repr=False)
    """Token ids of each label as an answer, in the order of the task; none where an answer is more than a label. All of
    them fit behind the prompts.
    """
    others: Mapping[str, "Prepared"] = field(default_factory=dict, repr=False)
    """The same cases as the study's further models read them, by the model's name."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Why there are none for a model, by its name."""
    view_key: str = ""
    """Names the view that shows the cases, and what it was made of; empty where the task's own prompt does."""
    views: Mapping[str, "Prepared"] = field(default_factory=dict, repr=False)
    """View -> the same cases as it shows them."""
    cut: int = 0
    """How many of the cases were shortened to fit."""
    interactions: Interactions | None = None

    @property
    def named(self) -> Named:
        """In which share of the training cases the prompt holds the case's own label."""
        return named_answers(self.task, self.splits.train, partial(case_text, self.task))

    def seen(self, view: str | None) -> "Prepared":
        """The cases as a view shows them; None: as the task's own prompt does."""
        return self.views[view] if view else self

    def read_by(self, model: str | None) -> "Prepared":
        """The cases in tokens of a model by its name, of the study's for None. Raises `KeyError` when it has none."""
        return self if model is None else self.others[model]

    def given_to(self, one: Arm | StageRef, seed: int) -> "Prepared":
        """The cases as an arm or a stage has them with a seed: through its view, in tokens of its model, and of
        training and validation cases so many of each label.
        """
        given = self.seen(one.view).read_by(one.model)
        return given.few(one.per_label, seed) if one.per_label else given

    def few(self, per_label: int, seed: int) -> "Prepared":
        """With at most `per_label` training cases of each label, as many for validation, and every held-out case."""
        train, validation = (
            few_of_each_label(part, lambda one: self.task.parse(one.target), per_label, f"{seed} few {name}")
            for name, part in (("train", self.splits.train), ("validation", self.splits.validation))
        )
        splits = Splits(
            [self.splits.train[i] for i in train], [self.splits.validation[i] for i in validation], self.splits.test
        )
        return replace(
            self,
            splits=splits,
            train=[self.train[i] for i in train],
            validation=[self.validation[i] for i in validation],
        )

    @property
    def test_hash(self) -> str:
        """Names the held-out cases: their ids, prompts, right answers, and how an answer is read."""
        cases = [[e.id, p, e.target] for e, p in zip(self.splits.test, self.test, strict=True)]
        return digest([cases, self.task.answer.model_dump(), self.task.metric])

    @property
    def test_set(self) -> str:
        """Names the held-out cases whatever model, prompt or order they are met with."""
        return digest(sorted(digest([dict(e.fields), e.prompt, e.target]) for e in self.splits.test))

    @property
    def test_patients(self) -> int:
        """How many patients the held-out cases are from."""
        return len({example.group for example in self.splits.test})


def read_task(entry: TaskEntry, study: Study, base_folder: Path) -> TaskCases:
    """Read and split one task's cases. Raises `InputError` when the task or its data cannot be used at all."""
    name = str(base_folder / entry.task) if entry.task.endswith((".yaml", ".yml")) else entry.task
    task = load_task(name)
    file = task_file(name)
    task_yaml = file.read_text(encoding="utf-8")
    if wrong := list(metric_problems(task, partial(setting_in, file, task_yaml))):
        raise InputError(wrong)
    read = read_examples(entry.data, task, base_folder)
    where = f"{entry.data.path or 'built-in cases'}, task {task.name}"
    stratum = _stratum(task, read.examples)
    whole = split_by_patient(read.examples, seed=study.split_seed, label_of=stratum, where=where)
    drawn = _limited(whole, entry, study.split_seed)
    if undefined := list(undefined_problems(task, drawn.test, where)):
        raise InputError(undefined)
    if (spike := entry.data.spike) is not None:
        if wrong := list(spike_problems(spike, task, drawn, where)):
            raise InputError(wrong)
        task, drawn = spike.measured(task), spiked(spike, drawn, study.split_seed)
        if drawn.train and not any(_rejected_is_worse(task, one) for one in drawn.train):
            what = f"no right answer scores less by {metric_title(task.metric)} with the text behind it"
            fix = "Take a text, or a metric of the task, by which it does"
            raise InputError(Problem(f"{where}, data.spike", what, fix))
    not_drawn = {part: len(getattr(whole, part)) - len(getattr(drawn, part)) for part in get_args(Split)}
    table = interactions_of(entry, base_folder)
    interactions = read_interactions(table, task) if table else None
    return TaskCases(entry, task, task_yaml, drawn, not_drawn, read, interactions=interactions)


def _stratum(task: Task, examples: Sequence[Example]) -> Callable[[Example], str] | None:
    """The label that a case is split by: its own, or of several the one that fewest cases have; None for text."""
    if task.answer.kind == "label":
        return lambda example: task.parse(example.target)
    if not task.set_labels:
        return None
    count = Counter(label for one in examples for label in task.label_set(one.target) or ())
    return lambda example: min(task.label_set(example.target) or [""], key=lambda label: (count[label], label))


def check_task(cases: TaskCases, study: Study, tokenizer: Any) -> Checked:
    """Look at one task's cases as the model will see them."""
    views = {name: (seen.task, seen.splits) for name, seen in cases.views.items()}
    found = preflight(cases.task, cases.splits, tokenizer, study.max_length, cases.read.refused, views)
    read = (cases.entry, cases.task, cases.task_yaml, cases.splits, cases.not_drawn, cases.read)
    return Checked(*read, found, interactions=cases.interactions)


def prepare(cases: TaskCases, study: Study, tokenizer: Any, others: OtherModels = _NO_OTHERS) -> Prepared:
    """Encode the cases, as the task's prompt and each of its views shows them; the same cut for every arm of a model.

    others: the study's further models. Raises `TooLong` for a case that does not fit into the study's `max_length`.
    """
    views = {
        name: replace(
            _by_models(replace(cases, task=seen.task, splits=seen.splits), study, tokenizer, others), view_key=seen.key
        )
        for name, seen in cases.views.items()
    }
    return replace(_by_models(cases, study, tokenizer, others), views=views)


def _by_models(cases: TaskCases, study: Study, tokenizer: Any, others: OtherModels) -> Prepared:
    prepared, unread = _read_by(cases, tokenizer, study.max_length), dict(others.absent)
    by_model: dict[str, Prepared] = {}
    for name, model in others.here.items():
        match read_by(cases, model):
            case str() as why:
                unread[name] = why
            case read:
                by_model[name] = read
    return replace(prepared, others=by_model, unread=unread)


def through_view(cases: TaskCases, view: str | None) -> TaskCases:
    """The cases as a view of their task shows them, and no other; None: as the task's own prompt does."""
    alone = cases.entry.model_copy(update={"views": {}, "fields": {}})
    if view is None:
        return replace(cases, entry=alone)
    seen = cases.views[view]
    return replace(cases, entry=alone, task=seen.task, splits=seen.splits)


def read_by(cases: TaskCases, model: OtherModel) -> Prepared | str:
    """The cases as a further model of the study reads them, or why it cannot."""
    try:
        return _read_by(cases, model.tokenizer, model.max_length)
    except TooLong:
        return f"{model.source.title} reads {model.max_length} tokens, and some case does not fit even where it is cut"


def cannot_answer(study: Study, cases: TaskCases | Prepared, arm: str) -> str | None:
    """Why an arm is not for a task, whatever its model; None where it is."""
    if why := find_answer(study.arm(arm).answer).unsupported_reason(cases.task):
        return str(why)
    if study.arm(arm).per_label and not cases.task.labels:
        return "`per_label` counts cases of each label, and its answers are not one of some labels"
    last = study.stage_of(arm)
    required, own = (last.required, last.lineage) if last else ((), ())
    for stage in required:
        if stage.view and stage not in own and stage.view not in cases.entry.views:
            return f"it learns from {stage.name}, which is shown the view {stage.view} that the task has not"
        unsupported_reason = getattr(find_kind(stage.kind), "unsupported_reason", None)
        if unsupported_reason and (why := unsupported_reason(stage, cases)):
            return str(why)
    return None


def _read_by(cases: TaskCases, tokenizer: Any, max_length: int) -> Prepared:
    task, splits = cases.task, cases.splits
    labels = _label_answers(task, tokenizer, splits)
    longest = max(map(len, labels), default=0)

    train, validation = (
        [fit(task, e, tokenizer, max_length, e.learned, longest) for e in examples]
        for examples in (splits.train, splits.validation)
    )
    room = task.answer.max_new_tokens
    test = [fit(task, e, tokenizer, max_length, max_new_tokens=room) for e in splits.test]
    return Prepared(
        cases.entry,
        task,
        splits,
        [one.encoded for one in train],
        [one.encoded for one in validation],
        [one.encoded.prompt for one in test],
        [one.example for one in test],
        cases.synthetic,
        labels,
        cut=sum(one.truncated_tokens > 0 for one in (*train, *validation, *test)),
        interactions=cases.interactions,
    )


def with_room(task: Task, examples: Sequence[Example], tokenizer: Any, max_length: int) -> dict[int, Asked]:
    """Examples of any split, by their place, as held-out cases are asked: with room for an answer behind the prompt.
    What then does not fit is left out.
    """
    found: dict[int, Asked] = {}
    for place, example in enumerate(examples):
        try:
            one = fit(task, example, tokenizer, max_length, max_new_tokens=task.answer.max_new_tokens)
        except TooLong:
            continue
        found[place] = one.encoded.prompt, one.example
    return found


def _label_answers(task: Task, tokenizer: Any, splits: Splits) -> list[list[int]]:
    """See `Prepared`; an answer's ids depend on no prompt."""
    cases = [*splits.train[:1], *splits.validation[:1], *splits.test[:1]]
    if task.answer.parser != "label" or not cases:
        return []
    turns = cast("list[dict[str, str]]", task.messages(cases[0]))
    return [encode(tokenizer, turns, label).answer for label in task.labels]


def _rejected_is_worse(task: Task, one: Example) -> bool:
    """Whether a pair of the right answer over the rejected one says something by the task's metric."""
    return case_score(task, one.rejected or "", one) < case_score(task, one.target, one)


def case_text(task: Task, case: Example) -> str:
    """What a model is asked about a case, without the instruction that all cases share."""
    return "\n".join(turn["content"] for turn in task.messages(case) if turn["role"] != "system")


def _limited(splits: Splits, entry: TaskEntry, seed: int) -> Splits:
    """Draw whole patients until a split has its limit; the order of the data is kept."""

    def draw(name: Split) -> list[Example]:
        examples: list[Example] = getattr(splits, name)
        limit = entry.limit.get(name)
        if limit is None or len(examples) <= limit:
            return examples
        taken: list[int] = []
        for cases in cases_by_patient([example.group for example in examples], f"{seed} {name}").values():
            if len(taken) + len(cases) <= limit:
                taken += cases
        return [examples[i] for i in sorted(taken)]

    return Splits(*map(draw, get_args(Split)))
