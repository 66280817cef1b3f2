"""A task: its prompt template and the parsing of its answers."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from preceptor.errors import InputError, Problem
from preceptor.files import file_name
from preceptor.tasks._example import Example, Message
from preceptor.tasks._facts import find_facts
from preceptor.tasks._label_sets import parse_label_set, write_label_set
from preceptor.tasks._parse import INVALID, parse_final_answer, parse_label, parse_text

PLACEHOLDER = re.compile(r"\{(\w+)\}")

Kind = Literal["label", "labels", "text"]
Parser = Literal["label", "final_answer", "labels", "elements", "text"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


SEPARATOR = "; "
"""Between the labels of an answer of several, where a task names no other."""


class Answer(_Frozen):
    """The format and parser of an answer; `labels` and `elements` map a name to its description.

    Of answers of several labels (`kind: labels`), `separator` stands between two, and `empty` is the word for no label;
    without one, every answer has a label.
    """

    kind: Kind
    labels: dict[str, str] = Field(default_factory=dict)
    parser: Parser
    marker: str = "Answer:"
    elements: dict[str, str] = Field(default_factory=dict)
    separator: str = Field(default=SEPARATOR, exclude_if=lambda separator: separator == SEPARATOR)
    empty: str | None = Field(default=None, exclude_if=lambda empty: empty is None)
    max_new_tokens: int = Field(gt=0, le=4096)

    @model_validator(mode="before")
    @classmethod
    def _parser_by_kind(cls, raw: Any) -> Any:
        if isinstance(raw, Mapping) and "parser" not in raw and "kind" in raw:
            return {**raw, "parser": raw["kind"]}
        return raw


class SecondaryMetric(_Frozen):
    """A secondary metric; `labels` are the positive labels of `sensitivity`, the phrases of `unwanted_phrase`."""

    metric: str
    labels: tuple[str, ...] = ()


class Task(_Frozen):
    """One clinical task: input fields, prompt template, answer parser and metrics.

    `fields` maps a field to its description; `cut` is the one field that may be truncated when a case is too long;
    `cut_at` says where: in its middle, or at its start by whole lines, so that of events in order the oldest go.
    `evidence` is the one that holds the characters of another on which the gold answer rests, which nobody who answers
    is shown; `cases` names the generator of built-in cases, if any. `secondary_metrics` is the key `also` of task
    files.
    """

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$"), AfterValidator(file_name)]
    title: str
    question: str
    source: str
    fields: dict[str, str]
    instruction: str
    prompt: str
    cut: str | None = None
    cut_at: Literal["middle", "start"] = Field(default="middle", exclude_if=lambda place: place == "middle")
    evidence: str | None = Field(default=None, exclude_if=lambda evidence: evidence is None)
    answer: Answer
    metric: str
    secondary_metrics: tuple[SecondaryMetric, ...] = Field(default=(), alias="also")
    cases: str | None = None

    @field_validator("secondary_metrics", mode="before", json_schema_input_type=tuple[SecondaryMetric | str, ...])
    @classmethod
    def _bare_names(cls, raw: Any) -> Any:
        return [{"metric": item} if isinstance(item, str) else item for item in raw] if isinstance(raw, list) else raw

    @property
    def shown_fields(self) -> list[str]:
        """The fields that whoever answers may be shown: all but `evidence`."""
        return [name for name in self.fields if name != self.evidence]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of which an answer is one, in the order of the file; empty for other tasks."""
        return tuple(self.answer.labels) if self.answer.kind == "label" else ()

    @property
    def set_labels(self) -> tuple[str, ...]:
        """The labels of which an answer has several, in the order of the file; empty for other tasks."""
        return tuple(self.answer.labels) if self.answer.kind == "labels" else ()

    def messages(self, example: Example) -> list[Message]:
        """The chat messages of the prompt: instruction and filled template, or the example's own messages.

        Raises InputError when the example lacks a field of the template.
        """
        if example.prompt is not None:
            return list(example.prompt)
        turns: list[Message] = [{"role": "user", "content": self._fill(example)}]
        return [{"role": "system", "content": self.instruction}, *turns] if self.instruction else turns

    def parse(self, text: str) -> str:
        """Parse a model's `text`: the label, the labels in their canonical form, the stripped text, or INVALID."""
        match self.answer.parser:
            case "label":
                return parse_label(text, self.labels)
            case "final_answer":
                return parse_final_answer(text, self.labels, self.answer.marker)
            case "labels":
                found = self.label_set(text)
                return INVALID if found is None else self.format_set(found)
            case "elements" | "text":
                return parse_text(text)

    def format_answer(self, label: str) -> str:
        """The shortest text that `parse` maps to `label`."""
        return f"{self.answer.marker} {label}" if self.answer.parser == "final_answer" else label

    def label_set(self, text: str) -> frozenset[str] | None:
        """The labels that a text lists, those that the task does not have among them; None where it lists none."""
        return parse_label_set(text, self.set_labels, self.answer.separator, self.answer.empty)

    def format_set(self, labels: Iterable[str]) -> str:
        """The canonical form of a set: labels in the task's order, unknown ones last; `empty` for no label."""
        return write_label_set(labels, self.set_labels, self.answer.separator, self.answer.empty)

    def facts(self, text: str) -> frozenset[str]:
        """The normalised `element=value` pairs that an answer with elements states."""
        return find_facts(text, tuple(self.answer.elements))

    def _fill(self, example: Example) -> str:
        used = [name for name in PLACEHOLDER.findall(self.prompt) if name in self.fields]
        missing = [name for name in dict.fromkeys(used) if name not in example.fields]
        if missing:
            raise InputError(
                [
                    Problem(f"case {example.id}", f"field {name!r} is missing", f"Task {self.name!r} needs it")
                    for name in missing
                ]
            )
        # One pass over the template: braces inside a value are text, never placeholders.
        return PLACEHOLDER.sub(lambda hit: example.fields[hit[1]] if hit[1] in self.fields else hit[0], self.prompt)
