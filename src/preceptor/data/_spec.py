"""`DataSpec`: the `data:` block of a study file."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from preceptor.tasks import Split

EACH_ROW = "each row"


def _as_text(value: Any) -> Any:
    """YAML reads a bare 1 as a number; files hold text. A bare yes is read as true, and what was meant is lost."""
    if isinstance(value, bool):
        raise ValueError("put quotes around yes, no, true, false, on and off")
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]


class DataSpec(BaseModel):
    """Where a task's examples come from: a file of the user's own (`path`) or built-in generated cases (`cases`).

    `path` is relative to the study file's folder; `~` is the home folder. A mapping names one file a split.
    `group` has no default: a wrong guess of who the patient is would put one patient on both sides of a split.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | dict[Split, str] | None = None
    reader: str | None = None
    """A format (`csv`, `jsonl`, ...) or a known public set; default: by the file's ending."""
    encoding: str | None = None
    """Of a CSV file; default: found out."""
    columns: dict[str, Text] = {}
    """Task field -> column; a field that is not named here has a column of its own name."""
    target: Text | None = None
    """The column of right answers; default: `target`, `label` or `completion`, whichever is there."""
    rejected: Text | None = None
    """A column of wrong answers, one a case, for the pairs of DPO; there is none where it is empty or the right one."""
    group: Text | None = None
    """The patient's column, or `each row`: every row is another patient."""
    id: Text | None = None
    """A column of distinct names for the cases; default: the row number."""
    split: Text | None = None
    """A column with train, validation or test in it."""
    date: Text | None = None
    """A column of ISO dates (2024-03-05): the report says when the held-out cases are from. No model reads it."""
    subgroups: tuple[Text, ...] = ()
    """Columns, such as sex, for whose values the report tells the results apart."""
    labels: dict[Text, Text] = {}
    """Value in the file -> label of the task."""
    empty: str | None = None
    """What the prompt says where a field is empty, such as `not measured`; default: an empty field is a problem."""
    bad_rows: Literal["stop", "leave out"] = "stop"
    """What to do with a row that cannot be used; rows left out are counted and shown."""
    cases: int | None = Field(default=None, gt=0)
    """How many built-in cases to generate."""
    seed: int = 0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.cases is None):
            raise ValueError("give exactly one of `path` (a file) and `cases` (how many built-in cases)")
        if self.path == {}:
            raise ValueError("`path` names no file")
        source, strangers = (
            ("cases", set(type(self).model_fields) - {"cases", "seed"}) if self.cases else ("path", {"seed"})
        )
        told = [name for name in sorted(strangers) if name != source and getattr(self, name) != self._default(name)]
        if told:
            raise ValueError(f"{', '.join(f'`{name}`' for name in told)} has no meaning beside `{source}`")
        if self.split and isinstance(self.path, dict):
            raise ValueError("`split` has no meaning beside one file a split")
        return self

    @classmethod
    def _default(cls, name: str) -> Any:
        return cls.model_fields[name].default

    def files(self, base_folder: Path) -> dict[Split | None, Path]:
        """The files to read; the key is the split a whole file belongs to, or None."""
        if self.path is None:
            return {}
        if isinstance(self.path, str):
            return {None: base_folder / Path(self.path).expanduser()}
        return {split: base_folder / Path(name).expanduser() for split, name in self.path.items()}
