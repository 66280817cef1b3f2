"""A study's settings: what is compared, on what, and how. Every default is here and is written out."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from preceptor.data import DataSpec
from preceptor.engine import DPOSettings, NumericsChoice, SFTSettings
from preceptor.models import EMBEDDED, AdapterSettings
from preceptor.tasks import Split

Arm = Literal["base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf", "endpoint"]

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
"""The hosts that may be asked without being allowed by name."""


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
    margin: float | None = Field(default=None, gt=0, lt=1)
    """The smallest difference that matters, in the metric's own unit (0.05 is five points of a hundred)."""


class PairSettings(_Frozen):
    """How many training cases DPO gets pairs from."""

    limit: int | None = Field(default=None, gt=0)


class ShotSettings(_Frozen):
    """How many training cases the arm `base+shots` shows the untouched model before each held-out case, at most."""

    count: int = Field(default=4, ge=1, le=64)


class EndpointSettings(_Frozen):
    """The server that the arm `endpoint` asks: on this machine, unless `allow_host` names another."""

    url: str
    """Of the interface that OpenAI's clients speak, such as http://127.0.0.1:8080/v1."""
    model: str = Field(min_length=1)
    allow_host: str | None = None

    @model_validator(mode="after")
    def _nothing_leaves_unless_allowed(self) -> Self:
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError("url cannot be read; write it like http://127.0.0.1:8080/v1") from error
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
            raise ValueError("url must look like http://127.0.0.1:8080/v1")
        if parts.username or parts.password:
            raise ValueError("url holds a user or a password, which would be kept in the run folder; take it out")
        if host not in THIS_MACHINE and host != (self.allow_host or "").lower():
            raise ValueError(
                f"url is on another machine, {host}, and case text would go there; only if that is allowed, say "
                f"allow_host: {host}"
            )
        return self


class Study(_Frozen):
    """A study as its file says it, with every default written out."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    question: str = "Which is worth it: the untouched model, learning by example (SFT), or also by preference (DPO)?"
    model: str = EMBEDDED
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(default=(0,), min_length=1)
    arms: tuple[Arm, ...] = Field(default=("base", "sft", "sft+dpo"), min_length=1)
    primary: tuple[tuple[Arm, Arm], ...] | None = None
    """The contrasts, first arm minus second, that the verdict rests on; None: those of `primary_contrasts`."""
    tasks: tuple[TaskEntry, ...] = Field(min_length=1)
    adapter: AdapterSettings | None = AdapterSettings()
    sft: SFTSettings = SFTSettings()
    dpo: DPOSettings = DPOSettings()
    pairs: PairSettings = PairSettings()
    shots: ShotSettings = ShotSettings()
    endpoint: EndpointSettings | None = None
    numerics: NumericsChoice = NumericsChoice()
    max_length: int = Field(default=1024, ge=32)
    split_seed: int = 0

    @field_validator("adapter", mode="before")
    @classmethod
    def _none_means_every_weight(cls, raw: Any) -> Any:
        return None if raw == "none" else raw

    @model_validator(mode="after")
    def _every_weight_needs_32_bits(self) -> Self:
        if self.adapter is None and self.numerics.dtype == "bfloat16":
            raise ValueError("adapter: none cannot be tuned in bfloat16, which rounds small steps away; use float32")
        return self

    @field_validator("seeds", "arms", "primary")
    @classmethod
    def _no_doubles(cls, values: Sequence[Any] | None) -> Sequence[Any] | None:
        if values is not None and len(set(values)) < len(values):
            raise ValueError("name each only once")
        return values

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
        for a, b in self.primary or ():
            if a == b:
                yield f"primary: {a} is compared with itself"
            for arm in sorted({a, b} - set(self.arms)):
                yield f"primary: {arm} is not among the arms"

    @property
    def primary_contrasts(self) -> tuple[tuple[Arm, Arm], ...]:
        """The contrasts, first arm minus second, that the verdict rests on: those named, else what DPO must beat."""
        if self.primary is not None:
            return self.primary
        wanted: tuple[tuple[Arm, Arm], ...] = (("sft", "base"),)
        if "sft+dpo" in self.arms:
            wanted = (("sft+dpo", "sft"), ("sft+dpo", "sft+sft"))
        return tuple((a, b) for a, b in wanted if a in self.arms and b in self.arms)
