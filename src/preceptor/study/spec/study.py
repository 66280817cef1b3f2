"""A study's settings: what is compared, on what, and how. Every default is written out."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from preceptor.chat_server import ChatServer
from preceptor.data import DataSpec
from preceptor.engine import NumericsChoice, Tracker
from preceptor.errors import without_steering
from preceptor.files import file_name
from preceptor.models import (
    EMBEDDED,
    AdapterSettings,
    CodeSetsSettings,
    MadeModel,
    SlotSettings,
)
from preceptor.preferences import find_maker, maker_names
from preceptor.study.spec.arms import MAJORITY, Arm, arm_of_maker, arm_problems, contrasts_about, own_problems, resolve
from preceptor.study.spec.found import find_kind, find_settings, outcome_names
from preceptor.study.spec.model_entry import FurtherModel, ModelEntry
from preceptor.study.spec.stacks import slot_problems, stack_problems
from preceptor.study.spec.stage_entry import Name, SlotName, StageEntry, entry_of, entry_problems
from preceptor.study.spec.stages import StageRef, stage_of
from preceptor.study.spec.view import FieldName, MadeFieldEntry, ViewEntry
from preceptor.tasks import Split

SUPERVISED = "sft"
"""The arm whose policy writes the answers that raters compare, whatever else the study trains."""


SENSITIVITY_MARGIN = 0.1
"""A convention of trials of diagnostic tests, and no clinician's judgement of these cases."""


def _right_in_itself(entry: str | Arm, info: ValidationInfo) -> str | Arm:
    stages = info.data.get("stages")  # None where something is wrong with them, which is said there
    if stages is not None and (problems := own_problems(entry, stages)):
        raise ValueError("; ".join(problems))
    return entry


_ArmEntry = Annotated[
    Annotated[Name, Tag("name")] | Annotated[Arm, Tag("arm")],
    Discriminator(lambda entry: "name" if isinstance(entry, str) else "arm"),
    AfterValidator(_right_in_itself),
]
"""An arm as the study file has it: a name that parses, or the whole of it."""


_TrackerName: Any = Tracker.model_fields["name"].annotation
"""What may stand in place of a tracker with settings."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskEntry(_Frozen):
    """One task of a study: a built-in name or a task file beside the study, its data, and how many cases to take.

    It also has the block of any stage kind, as `Study` does: settings for this task alone, in place of the study's.
    """

    task: str
    data: DataSpec
    limit: dict[Split, Annotated[int, Field(gt=0)]] = {}
    """At most this many cases of a split, drawn with the study's split seed; a split not named is taken whole."""
    fields: dict[FieldName, MadeFieldEntry] = Field(default={}, exclude_if=lambda fields: not fields)
    """Fields made of others on the training part: `extracted: {keywords_tfidf: note, count: 20}`."""
    views: dict[Name, ViewEntry] = Field(default={}, exclude_if=lambda views: not views)
    """What arms with a `view` of that name are shown in place of the task's prompt."""
    gold: str | None = None
    """The store of raters' labels that the right answers came from, relative to the study file."""
    interactions: str | None = Field(default=None, min_length=1, exclude_if=lambda table: table is None)
    """A table of pairs of labels that interact, by their names, relative to the study file: for sets of labels."""
    margin: float | None = Field(default=None, gt=0, lt=1)
    """The smallest difference that matters, in the metric's own unit (0.05 is five points of a hundred)."""
    sensitivity_margin: float = Field(default=SENSITIVITY_MARGIN, gt=0, lt=1)
    """How much sensitivity for the task's dangerous labels an arm may lose and still be recommended."""


class Study(_Frozen):
    """A study as its file says it, with every default written out.

    It also has the block of each stage kind and way of answering that its arms use, by its name (`settings_of`).
    """

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$"), AfterValidator(file_name)]
    question: str = "Which is worth it: the untouched model, learning by example (SFT), or also by preference (DPO)?"
    model: str = EMBEDDED
    models: dict[Name, FurtherModel] = Field(default={}, exclude_if=lambda models: not models)
    """Further models by name, which stages ask for: each a folder, a hub id or an embedded model, as `model` is, or the
    first layers of one, or the settings of one that is made.
    """
    load_in_4bit: bool = Field(default=False, exclude_if=lambda quantized: not quantized)
    """Whether the model's linear layers are held in four bits, in each of its own arms, tuned or not."""
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(default=(0,), min_length=1)
    makers: tuple[str, ...] = ()
    """Where rejected answers come from. The first makes the pairs of all arms, each other is an arm of its own."""
    slots: dict[SlotName, SlotSettings] = Field(default={}, exclude_if=lambda slots: not slots)
    """The named parts of the model that stages train or use, in place of the one `adapter`."""
    stages: dict[Name, StageEntry] = Field(default={}, exclude_if=lambda stages: not stages)
    """Stages beside the kinds' own names."""
    arms: tuple[_ArmEntry, ...] = Field(default=("base", SUPERVISED, "sft+dpo"), min_length=1)
    primary: tuple[tuple[Name, Name], ...] | None = None
    """The contrasts, first arm minus second, that the verdict rests on; None: those of `primary_contrasts`."""
    also: tuple[str, ...] = Field(default=(), exclude_if=lambda also: not also)
    """Outcomes that arms are asked beside their task."""
    tasks: tuple[TaskEntry, ...] = Field(min_length=1)
    adapter: AdapterSettings | None = AdapterSettings()
    judge: ChatServer | None = None
    """The server that the maker `judge` asks."""
    votes: str | None = None
    """The store of votes that the maker `votes` reads, relative to the study file."""
    report_to: Tracker | None = Field(default=None, exclude_if=lambda tracker: tracker is None)
    """The tracker that is told how training goes and what came out; it changes no stage and no result."""
    numerics: NumericsChoice = NumericsChoice()
    max_length: int = Field(default=1024, ge=32)
    split_seed: int = 0

    @field_validator("question")
    @classmethod
    def _reads_as_it_is_written(cls, question: str) -> str:
        if without_steering(question) != question:
            raise ValueError("it holds a control character or a mark that turns the direction of text; remove it")
        return question

    @field_validator("adapter", mode="before", json_schema_input_type=AdapterSettings | Literal["none"] | None)
    @classmethod
    def _none_means_every_weight(cls, raw: Any) -> Any:
        return None if raw == "none" else raw

    @field_validator("report_to", mode="before", json_schema_input_type=Tracker | _TrackerName | Literal["none"] | None)
    @classmethod
    def _by_its_name(cls, raw: Any) -> Any:
        return (None if raw == "none" else {"name": raw}) if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _every_weight_needs_32_bits(self) -> Self:
        if self.adapter is None and self.numerics.dtype == "bfloat16":
            raise ValueError("adapter: none cannot be tuned in bfloat16, which rounds small steps away; use float32")
        return self

    @model_validator(mode="after")
    def _four_bits_are_not_tuned(self) -> Self:
        if self.load_in_4bit and self.adapter is None:
            raise ValueError("load_in_4bit: weights of 4 bits cannot be tuned themselves; take `adapter: none` out")
        return self

    @model_validator(mode="after")
    def _slots_are_known(self) -> Self:
        if problems := list(slot_problems(self)):
            raise ValueError("; ".join(problems))
        return self

    @field_validator("seeds", "makers", "arms", "also", "primary")
    @classmethod
    def _no_doubles(cls, values: Sequence[Any] | None) -> Sequence[Any] | None:
        if values is not None and len(set(values)) < len(values):
            raise ValueError("name each only once")
        return values

    @field_validator("stages")
    @classmethod
    def _stages_are_right_in_themselves(cls, stages: dict[str, StageEntry]) -> dict[str, StageEntry]:
        if problems := list(entry_problems(stages)):
            raise ValueError("; ".join(problems))
        return stages

    @field_validator("also")
    @classmethod
    def _outcomes_exist(cls, also: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(also) - set(outcome_names())):
            raise ValueError(f"there is no outcome {', '.join(unknown)}; choose from: {', '.join(outcome_names())}")
        return also

    @field_validator("makers")
    @classmethod
    def _makers_exist(cls, makers: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(makers) - set(maker_names())):
            raise ValueError(f"there is no maker {', '.join(unknown)}; choose from: {', '.join(maker_names())}")
        return makers

    @model_validator(mode="after")
    def _arms_have_what_they_need(self) -> Self:
        problems = [*(f"arms: {one}" for one in arm_problems(self.arms, self.stages)), *self._primary_problems()]
        if not problems:
            self.__dict__["arms"] = self._with_arms_of_makers()
            problems = [*self._maker_problems(), *self._write_out_blocks(), *stack_problems(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _primary_problems(self) -> Iterator[str]:
        names = [entry if isinstance(entry, str) else entry.name for entry in self.arms]
        unordered = [frozenset(contrast) for contrast in self.primary or ()]
        for a, b in self.primary or ():
            if unordered.count(frozenset((a, b))) > 1 and a != b:
                yield f"primary: {a} and {b} are compared more than once"
            if a == b:
                yield f"primary: {a} is compared with itself"
            for arm in sorted({a, b} - set(names)):
                if "@" not in arm:  # an arm of a further maker comes of itself
                    yield f"primary: {arm} is not among the arms"

    def _maker_problems(self) -> Iterator[str]:
        if self.makers and not any(self.takes_pairs(arm) for arm in self.resolved.values()):
            yield "makers: they make pairs, and no arm has a stage that learns from pairs; name one, or leave them out"
        needed = self.maker_settings
        if "judge" in needed and self.judge is None:
            yield "makers: judge needs to know its server; add `judge: {url: ..., model: ...}`"
        if "votes" in needed and self.votes is None:
            yield "makers: votes needs to know its store; add `votes: runs/.../labels/pairs.sqlite`"
        for arm in self.resolved.values():
            if arm.source and arm.source not in self.makers[1:]:
                yield f"arms: {arm.name} stands for pairs of a further maker; name it in `makers` behind the first"
        for name in sorted({name for pair in self.primary or () for name in pair} - set(self.arm_names)):
            yield f"primary: {name} is not among the arms"
        for arm in self.resolved.values():
            if arm.view and not any(arm.view in task.views for task in self.tasks):
                yield f"arms: {arm.name}: no task has a view {arm.view}; name it under the task's `views`"
            for name in sorted(set(arm.against) - {*self.arm_names, MAJORITY}):
                yield f"arms: {arm.name}: it is compared with {name}, which is not among the arms"

    def _write_out_blocks(self) -> Iterator[str]:
        """Give each block that the arms use and the file lacks its defaults; a problem where it has none."""
        for name in self._used():
            settings = find_settings(name)
            if settings is not None and getattr(self, name, None) is None:
                try:
                    self.__dict__[name] = settings()
                except ValidationError:
                    required = [key for key, field in settings.model_fields.items() if field.is_required()]
                    block = ", ".join(f"{key}: ..." for key in required)
                    yield f"arms: {name} needs its settings; add `{name}: {{{block}}}`"

    def is_made(self, model: str | None) -> bool:
        """Whether a model, by its name in `models`, is made from settings, so that every weight of it learns."""
        return isinstance(self.models.get(model or ""), MadeModel)

    def knows_codes(self, model: str | None) -> bool:
        """Whether it is one that knows nothing but the codes of training cases."""
        return isinstance(self.models.get(model or ""), CodeSetsSettings)

    def _used(self) -> list[str]:
        """Stage kinds and ways of answering that the arms use, and outcomes that they are asked."""
        last = [stage for name in self.resolved if (stage := self.stage_of(name))]
        kinds = [stage.kind for one in last for stage in one.required]
        return list(dict.fromkeys([*kinds, *(arm.answer for arm in self.resolved.values()), *self.also]))

    @property
    def resolved(self) -> dict[str, Arm]:
        """The arms by name, in order, with their words and comparators."""
        return resolve(self.arms, self.stages)

    def _with_arms_of_makers(self) -> tuple[str | Arm, ...]:
        """The arms; each further maker has one of its own, behind the first that learns from pairs."""
        arms = self.resolved
        first = next((arm for arm in arms.values() if self.takes_pairs(arm) and not arm.source), None)
        if first is None:
            return self.arms
        makers = [maker for maker in self.makers[1:] if f"{first.name}@{maker}" not in arms]
        behind = list(arms).index(first.name) + 1
        further = [arm_of_maker(first, maker, self.stages) for maker in makers]
        return (*self.arms[:behind], *further, *self.arms[behind:])

    @property
    def maker_settings(self) -> set[str]:
        """The settings that the makers' pairs depend on."""
        return {setting for maker in self.makers for setting in find_maker(maker).settings}

    @property
    def arm_names(self) -> tuple[str, ...]:
        """The names of the arms, in order."""
        return tuple(self.resolved)

    def arm(self, name: str) -> Arm:
        """The arm of this name. Raises `KeyError` when there is none."""
        return self.resolved[name]

    def stage_of(self, arm: str) -> StageRef | None:
        """The last stage of an arm, with all that it rests on; None for an untouched arm."""
        return stage_of(self.arm(arm), self.resolved, self.stages, self.makers[0] if self.makers else None)

    def models_of(self, arm: str) -> tuple[str, ...]:
        """The models beside `model` that an arm rests on, by name: its own, and that of what it learns toward."""
        last = self.stage_of(arm)
        return tuple(dict.fromkeys(one.model for one in (last.required if last else ()) if one.model))

    def settings_of(self, stage: StageRef, task: TaskEntry) -> Any:
        """A stage's settings on a task: the task's block of its kind, else the study's, and in it the stage's own."""
        block = getattr(task, stage.kind, None) or self.block(stage.kind)
        entry = entry_of(stage.name, self.stages)
        own = entry.settings if entry else {}
        return type(block).model_validate(block.model_dump() | own) if block and own else block

    def block(self, name: str) -> Any:
        """The block of a stage kind or a way of answering, by default what its file says."""
        settings = find_settings(name)
        return getattr(self, name, None) or (settings() if settings else None)

    @property
    def other_models(self) -> dict[str, ModelEntry | MadeModel]:
        """The models beside `model` that arms rest on, by name: each as `models` has it, or what its kind brings."""
        names = dict.fromkeys(name for arm in self.resolved for name in self.models_of(arm))
        return {name: self.models.get(name) or ModelEntry(model=find_kind(name).model) for name in names}

    @property
    def primary_contrasts(self) -> tuple[tuple[str, str], ...]:
        """The contrasts, first arm minus second, that the verdict rests on: those named, else what a study is about."""
        return self.primary if self.primary is not None else contrasts_about(self.resolved)

    def takes_pairs(self, arm: Arm) -> bool:
        """Whether it learns from pairs; the control of such an arm does not."""
        last = stage_of(arm, self.resolved, self.stages, None)
        return last is not None and any(find_kind(stage.kind).makes == "pairs" for stage in last.lineage)
