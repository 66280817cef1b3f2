"""Whether an arm's model finds stereotypes likelier than their opposites, by published sets that the user has."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.errors import InputError, Problem
from preceptor.files import expanded
from preceptor.study.asked_items import Asked, Figure, Item
from preceptor.study.outcomes import _bbq, _crows_pairs, _stereoset, _winobias

title = "Stereotypes"
explanation = (
    "Sentences by their probability from the first token on, by the chain rule. The sets are of English of the United "
    "States, about its people, and say nothing of what a model does with a patient."
)
_SETS = {"crows_pairs": _crows_pairs, "stereoset": _stereoset, "winobias": _winobias, "bbq": _bbq}
_READ: dict[str, Callable[[Path], list[Any]]] = {
    "crows_pairs": _crows_pairs.pairs,
    "stereoset": _stereoset.triples,
    "winobias": _winobias.lines,
    "bbq": _bbq.rows,
}


class Settings(BaseModel):
    """Where the user's copies of the sets lie, relative to the study file; they are for evaluation alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crows_pairs: str | None = None
    stereoset: str | None = None
    winobias: str | None = None
    """The folder of its files."""
    bbq: str | None = None
    """One of its JSONL files, or a folder of them."""
    limit: int | None = Field(default=None, ge=1)
    """At most about so many rows of each set, evenly spaced; by default all."""

    @model_validator(mode="after")
    def _one_is_named(self) -> Self:
        if not self.named:
            raise ValueError(f"name the file of a set: {', '.join(_SETS)}")
        return self

    @property
    def named(self) -> dict[str, str]:
        """Set -> its file, of those that are named."""
        files = {name: getattr(self, name) for name in _SETS}
        return {name: file for name, file in files.items() if file}


def problems(settings: Settings, base_folder: Path) -> list[Problem]:
    """What keeps a set from being read."""
    found: list[Problem] = []
    for name, file in settings.named.items():
        try:
            _READ[name](base_folder / expanded(file))
        except InputError as error:
            found += error.problems
    return found


def items(asked: Asked) -> list[Item]:
    """The rows of every set that is named."""
    named, limit = asked.settings.named.items(), asked.settings.limit
    return [one for name, file in named for one in _SETS[name].items(asked.base_folder / expanded(file), asked, limit)]


def warnings(found: Sequence[Item]) -> list[str]:
    """What the authors of a set that was asked say of it."""
    return [_crows_pairs.WARNING] if _crows_pairs.figures(found) else []


def figures(found: Sequence[Item]) -> list[Figure]:
    """Those of every set."""
    return [one for members in _SETS.values() for one in members.figures(found)]
