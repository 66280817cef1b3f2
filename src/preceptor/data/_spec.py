"""`DataSpec`: the `data:` block of a study file."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from preceptor.data._spike import Spike
from preceptor.files import expanded
from preceptor.tasks import Split, composed

EACH_ROW = "each row"


def _as_text(value: Any) -> Any:
    """Numbers in YAML become text. Booleans are rejected: `yes` and `true` cannot be told apart after parsing."""
    if isinstance(value, bool):
        raise ValueError("put quotes around yes, no, true, false, on and off")
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int | float)]


class DataSpec(BaseModel):
    """The source of a task's examples: the user's file (`path`) or generated built-in cases (`cases`).

    `path` is relative to the study file's folder; `~` is the home folder. A mapping names one file per split.
    `group` has no default: a wrong guess would leak patients between splits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | dict[Split, str] | None = None
    reader: str | None = None
    """A format (`csv`, `jsonl`, ...) or a known public set; default: by the file's ending."""
    encoding: str | None = None
    """The encoding of a CSV file; default: detected."""
    columns: dict[str, Text] = {}
    """Task field -> column; default: the column with the field's name."""
    target: Text | None = None
    """The column of right answers; default: the first of `target`, `label`, `completion` that exists."""
    rejected: Text | None = None
    """A column of rejected answers for DPO; empty cells and cells equal to the target give no pair."""
    group: Text | None = None
    """The column of the patient, or `each row`: every row is a different patient."""
    id: Text | None = None
    """The column of unique case ids; default: the row number."""
    split: Text | None = None
    """The column with train, validation or test."""
    date: Text | None = None
    """A column of ISO dates (2024-03-05), for the report only; not shown to models."""
    subgroups: tuple[Text, ...] = ()
    """Columns, such as sex, by which the report breaks down the results."""
    labels: dict[Text, Text] = {}
    """Value in the file -> label of the task."""
    empty: str | None = None
    """Placeholder for empty fields in the prompt, such as `not measured`; default: an empty field is an error."""
    bad_rows: Literal["stop", "leave out"] = "stop"
    """What to do with invalid rows; rows left out are counted and reported."""
    cases: int | None = Field(default=None, gt=0)
    """How many built-in cases to generate."""
    seed: int = 0
    spike: Spike | None = Field(default=None, exclude_if=lambda spike: spike is None)
    """A positive control: what supervised training learns wrongly, and pairs correct; for text answers."""

    @field_validator("labels")
    @classmethod
    def _one_spelling(cls, labels: dict[str, str]) -> dict[str, str]:
        read = {composed(value): label for value, label in labels.items()}
        if len(read) < len(labels):
            raise ValueError("a value stands there twice, its letters and their marks written as NFC and as NFD")
        return read

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.cases is None):
            raise ValueError("give exactly one of `path` (a file) and `cases` (how many built-in cases)")
        if self.path == {}:
            raise ValueError("`path` names no file")
        source, foreign = (
            ("cases", set(type(self).model_fields) - {"cases", "seed", "spike", "subgroups"})
            if self.cases
            else ("path", {"seed"})
        )
        misplaced = [name for name in sorted(foreign) if name != source and getattr(self, name) != self._default(name)]
        if misplaced:
            raise ValueError(f"{', '.join(f'`{name}`' for name in misplaced)} has no meaning beside `{source}`")
        if self.split and isinstance(self.path, dict):
            raise ValueError("`split` has no meaning beside one file a split")
        if self.rejected and self.spike:
            raise ValueError("`rejected` has no meaning beside `spike`, which makes the rejected answers; take one out")
        return self

    @classmethod
    def _default(cls, name: str) -> Any:
        return cls.model_fields[name].default

    def files(self, base_folder: Path) -> dict[Split | None, Path]:
        """The files to read by the split they hold, None for a file without a fixed split."""
        if self.path is None:
            return {}
        if isinstance(self.path, str):
            return {None: base_folder / expanded(self.path)}
        return {split: base_folder / expanded(name) for split, name in self.path.items()}
