"""A study's settings: what is compared, on what, and how. Every default is here and is written out."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from preceptor.chat_server import ChatServer
from preceptor.data import DataSpec
from preceptor.engine import DPOSettings, NumericsChoice, SFTSettings, Tracker
from preceptor.errors import without_steering
from preceptor.files import file_name
from preceptor.models import EMBEDDED, AdapterSettings
from preceptor.preferences import maker_names
from preceptor.tasks import Split

PlainArm = Literal["base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf", "endpoint"]
MakerArm = Literal[
    "sft+dpo@published",
    "sft+dpo@hardest_label",
    "sft+dpo@on_policy",
    "sft+dpo@near_miss",
    "sft+dpo@judge",
    "sft+dpo@votes",
]
"""DPO on the pairs of a further maker; on those of the first it is `sft+dpo`."""
Arm = Literal[PlainArm, MakerArm]

_ARM_OF: dict[str, MakerArm] = {
    "published": "sft+dpo@published",
    "hardest_label": "sft+dpo@hardest_label",
    "on_policy": "sft+dpo@on_policy",
    "near_miss": "sft+dpo@near_miss",
    "judge": "sft+dpo@judge",
    "votes": "sft+dpo@votes",
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskEntry(_Frozen):
    """One task of a study: a built-in name or a task file beside the study, its data, and how many cases to take."""

    task: str
    data: DataSpec
    limit: dict[Split, Annotated[int, Field(gt=0)]] = {}
    """At most this many cases of a split, drawn with the study's split seed; a split not named is taken whole."""
    sft: SFTSettings | None = None
    dpo: DPOSettings | None = None
    """Settings for this task alone, in place of the study's."""
    gold: str | None = None
    """The store of raters' labels that the right answers came from, relative to the study file."""
    margin: float | None = Field(default=None, gt=0, lt=1)
    """The smallest difference that matters, in the metric's own unit (0.05 is five points of a hundred)."""


class PairSettings(_Frozen):
    """How many training cases DPO gets pairs from; and for answers that are drawn, how many a case, how daring."""

    limit: int | None = Field(default=None, gt=0)
    samples: int = Field(default=4, ge=2, le=64)
    temperature: float = Field(default=1.0, gt=0, le=2)


class ShotSettings(_Frozen):
    """How many training cases the arm `base+shots` shows the untouched model before each held-out case, at most."""

    count: int = Field(default=4, ge=1, le=64)


class Study(_Frozen):
    """A study as its file says it, with every default written out."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$"), AfterValidator(file_name)]
    question: str = "Which is worth it: the untouched model, learning by example (SFT), or also by preference (DPO)?"
    model: str = EMBEDDED
    load_in_4bit: bool = Field(default=False, exclude_if=lambda quantized: not quantized)
    """Whether the model's linear layers are held in four bits, in every arm, tuned or not."""
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(default=(0,), min_length=1)
    makers: tuple[str, ...] = ()
    """Where rejected answers come from. The first makes the pairs of `sft+dpo`, each other is an arm of its own."""
    arms: tuple[Arm, ...] = Field(default=("base", "sft", "sft+dpo"), min_length=1, validate_default=True)
    primary: tuple[tuple[Arm, Arm], ...] | None = None
    """The contrasts, first arm minus second, that the verdict rests on; None: those of `primary_contrasts`."""
    tasks: tuple[TaskEntry, ...] = Field(min_length=1)
    adapter: AdapterSettings | None = AdapterSettings()
    sft: SFTSettings = SFTSettings()
    dpo: DPOSettings = DPOSettings()
    pairs: PairSettings = PairSettings()
    shots: ShotSettings = ShotSettings()
    endpoint: ChatServer | None = None
    """The server that the arm `endpoint` asks."""
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

    @field_validator("adapter", mode="before")
    @classmethod
    def _none_means_every_weight(cls, raw: Any) -> Any:
        return None if raw == "none" else raw

    @field_validator("report_to", mode="before")
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

    @field_validator("seeds", "makers", "arms", "primary")
    @classmethod
    def _no_doubles(cls, values: Sequence[Any] | None) -> Sequence[Any] | None:
        if values is not None and len(set(values)) < len(values):
            raise ValueError("name each only once")
        return values

    @field_validator("makers")
    @classmethod
    def _makers_exist(cls, makers: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(makers) - set(maker_names())):
            raise ValueError(f"there is no maker {', '.join(unknown)}; choose from: {', '.join(maker_names())}")
        return makers

    @field_validator("arms")
    @classmethod
    def _each_further_maker_has_an_arm(cls, arms: tuple[Arm, ...], info: ValidationInfo) -> tuple[Arm, ...]:
        missing = [arm for maker in info.data.get("makers", ())[1:] if (arm := _ARM_OF[maker]) not in arms]
        behind = arms.index("sft+dpo") + 1 if "sft+dpo" in arms else len(arms)
        return (*arms[:behind], *missing, *arms[behind:])

    @model_validator(mode="after")
    def _arms_have_what_they_need(self) -> Self:
        if problems := list(self._arm_problems()):
            raise ValueError("; ".join(problems))
        return self

    def _arm_problems(self) -> Iterator[str]:
        if "sft+sft" in self.arms and "sft+dpo" not in self.arms:
            yield "arms: sft+sft is SFT continued for what sft+dpo took, so name sft+dpo too, or leave sft+sft out"
        if "endpoint" in self.arms and self.endpoint is None:
            yield "arms: endpoint needs to know its server; add `endpoint: {url: ..., model: ...}`"
        yield from self._maker_problems()
        unordered = [frozenset(contrast) for contrast in self.primary or ()]
        for a, b in self.primary or ():
            if unordered.count(frozenset((a, b))) > 1 and a != b:
                yield f"primary: {a} and {b} are compared more than once"
            if a == b:
                yield f"primary: {a} is compared with itself"
            for arm in sorted({a, b} - set(self.arms)):
                yield f"primary: {arm} is not among the arms"

    def _maker_problems(self) -> Iterator[str]:
        if self.makers and "sft+dpo" not in self.arms:
            yield "makers: they make the pairs of DPO, so name sft+dpo among the arms, or leave them out"
        if "judge" in self.makers and self.judge is None:
            yield "makers: judge needs to know its server; add `judge: {url: ..., model: ...}`"
        if "votes" in self.makers and self.votes is None:
            yield "makers: votes needs to know its store; add `votes: runs/.../labels/pairs.sqlite`"
        for arm in self.arms:
            if "@" in arm and self.maker_of(arm) not in self.makers[1:]:
                yield f"arms: {arm} stands for pairs of a further maker; name it in `makers` behind the first"

    def maker_of(self, arm: str) -> str | None:
        """Who makes the pairs of an arm with DPO; None where whatever works for a case makes them."""
        first = self.makers[0] if self.makers else None
        return next((maker for maker, one in _ARM_OF.items() if one == arm), first)

    @property
    def primary_contrasts(self) -> tuple[tuple[Arm, Arm], ...]:
        """The contrasts, first arm minus second, that the verdict rests on: those named, else what DPO must beat."""
        if self.primary is not None:
            return self.primary
        wanted: tuple[tuple[Arm, Arm], ...] = (("sft", "base"),)
        if "sft+dpo" in self.arms:
            wanted = (("sft+dpo", "sft"), ("sft+dpo", "sft+sft"))
        return tuple((a, b) for a, b in wanted if a in self.arms and b in self.arms)
