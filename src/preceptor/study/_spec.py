"""The study file: what is compared, on what, and with which settings. Every default is here and is written out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from preceptor.data import DataSpec
from preceptor.engine import DPOSettings, NumericsChoice, SFTSettings
from preceptor.errors import InputError, Problem
from preceptor.models import EMBEDDED, AdapterSettings
from preceptor.tasks import Split

_BUILTIN = Path(__file__).parent / "builtin"

StageKind = Literal["sft", "pairs", "dpo"]
Arm = Literal["base", "sft", "sft+dpo"]

ARMS: dict[str, tuple[StageKind, ...]] = {"base": (), "sft": ("sft",), "sft+dpo": ("sft", "pairs", "dpo")}
"""What each arm does, in order. Arms that begin alike share those stages."""


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


class PairSettings(_Frozen):
    """How many training cases DPO gets pairs from."""

    limit: int | None = Field(default=None, gt=0)


class Study(_Frozen):
    """A study as its file says it, with every default written out."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    question: str = "Which is worth it: the untouched model, learning by example (SFT), or also by preference (DPO)?"
    model: str = EMBEDDED
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(default=(0,), min_length=1)
    arms: tuple[Arm, ...] = Field(default=("base", "sft", "sft+dpo"), min_length=1)
    tasks: tuple[TaskEntry, ...] = Field(min_length=1)
    adapter: AdapterSettings | None = AdapterSettings()
    sft: SFTSettings = SFTSettings()
    dpo: DPOSettings = DPOSettings()
    pairs: PairSettings = PairSettings()
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

    @field_validator("seeds", "arms")
    @classmethod
    def _no_doubles(cls, values: Sequence[Any]) -> Sequence[Any]:
        if len(set(values)) < len(values):
            raise ValueError("name each only once")
        return values


def builtin_studies() -> list[str]:
    """The studies that need no file."""
    return sorted(path.stem for path in _BUILTIN.glob("*.yaml"))


def load_study(name_or_path: str) -> tuple[Study, Path]:
    """A study and the folder its paths are relative to. Raises `InputError` with every problem of the file."""
    path = _BUILTIN / f"{name_or_path}.yaml" if name_or_path in builtin_studies() else Path(name_or_path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(builtin_studies())
        fix = f"Name a study file, or a built-in study: {known}. `preceptor new FILE` writes one for your data."
        raise InputError(Problem(str(path), "there is no such study file", fix)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(str(path), "it cannot be read as UTF-8 text", "Name a YAML file.")) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise InputError(Problem(f"{path}, line {line}", "it is not valid YAML", "Mend this line.")) from error
    if not isinstance(raw, dict):
        raise InputError(Problem(str(path), "it is not a study", "Start from a file in examples/."))
    return make_study(raw, str(path)), path.parent


def make_study(raw: dict[str, Any], where: str) -> Study:
    """A study from its settings. Raises `InputError` with every problem; `where` says where the settings stand."""
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        raise InputError([_problem(where, one) for one in error.errors()]) from error


def _problem(source: str, error: Any) -> Problem:
    where = f"{source}, {'.'.join(map(str, error['loc'])) or 'top level'}"
    if error["type"] == "extra_forbidden":
        return Problem(where, "there is no such setting", "Check the spelling, or take it out.")
    if error["type"] == "missing":
        return Problem(where, "this setting is missing", "Add it.")
    return Problem(where, error["msg"].removeprefix("Value error, "), "Change it.")
