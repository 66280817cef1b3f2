"""What an arm may be shown of a case in place of the task's prompt."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from preceptor.data import made_field_problems

FieldName = Annotated[str, Field(pattern=r"^\w+$", max_length=40)]


class View(BaseModel):
    """A template over the task's fields and those that the study makes of them; a text alone is its `template`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: str
    known: Literal["before", "after"] = "before"
    """Whether all of it is known before the decision that the task is about. What is known only after it is not there
    when the answer is needed: an arm that is shown it can be measured, and never recommended."""
    cut: str | None = None
    """The one field that may be truncated; default: that of the task, where the template has it."""


def _from_text(raw: Any) -> Any:
    return {"template": raw} if isinstance(raw, str) else raw


ViewEntry = Annotated[View, BeforeValidator(_from_text, json_schema_input_type=View | str)]


def _is_right(entry: dict[str, Any]) -> dict[str, Any]:
    if problems := list(made_field_problems(entry)):
        raise ValueError("; ".join(problems))
    return entry


MadeFieldEntry = Annotated[dict[str, Any], AfterValidator(_is_right)]
"""A made field: its maker, the field it is made of, and the maker's settings."""
