"""JSON Schemas of the files that people write and programs read: a study, a task, and `results.json`.

They are made from the classes that read these files, and from the names of what is found by its file name.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise, product
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from preceptor.data import reader_names
from preceptor.evidence import metric_names
from preceptor.models import EMBEDDED_MODELS, HEAD, adapter_types
from preceptor.preferences import maker_names
from preceptor.study import answer_names, find_kind, kind_names, study_class
from preceptor.study.results.schema import Results
from preceptor.study.spec.arms import own_problems, resolve
from preceptor.study.spec.stage_entry import BASE
from preceptor.tasks import Task, builtin_tasks, generators

SchemaOf = Literal["study", "task", "results"]

_NAMES: dict[tuple[str, str], Callable[[], Sequence[str]]] = {
    ("Study", "makers"): maker_names,
    ("StageEntry", "kind"): kind_names,
    ("Arm", "answer"): answer_names,
    ("DataSpec", "reader"): reader_names,
    ("SlotSettings", "type"): lambda: [HEAD, *adapter_types()],
    ("Task", "metric"): metric_names,
    ("Task", "also"): metric_names,
    ("SecondaryMetric", "metric"): metric_names,
    ("Task", "cases"): generators,
}
"""(class, field) -> the only names that may stand there."""
_SUGGESTED: dict[tuple[str, str], Callable[[], Sequence[str]]] = {
    ("Study", "model"): lambda: list(EMBEDDED_MODELS),
    ("Study", "arms"): lambda: _short_arms(),
    ("TaskEntry", "task"): builtin_tasks,
}
"""(class, field) -> names that may stand there beside any others."""


def json_schema(of: SchemaOf) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a study file, a task file, or `results.json` as this version writes it."""
    if of == "study":
        return _study()
    return _task() if of == "task" else _made(Results, "serialization")


def _study() -> dict[str, Any]:
    schema = _made(study_class(), "validation")
    _allow_settings_of_kinds(schema)
    # A study that names no stages has only arms of what is found by name.
    schema["if"] = {"not": {"required": ["stages"]}}
    schema["then"] = {"properties": {"arms": {"items": {"pattern": _arm_pattern()}}}}
    return schema


def _task() -> dict[str, Any]:
    schema = _made(Task, "validation")
    schema["$defs"]["Answer"]["required"].remove("parser")  # it follows from the answer's kind
    _read_scalars_as_text(schema)
    return schema


def _made(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """The model's schema with the names that may stand in its fields."""
    schema = model.model_json_schema(schema_generator=_Generator, mode=mode)
    parts = {schema["title"]: schema, **schema.get("$defs", {})}
    for names, suggested in ((_NAMES, False), (_SUGGESTED, True)):
        for (part, field), found in names.items():
            for one in list(_strings(parts[part]["properties"][field])) if part in parts else ():
                if suggested:
                    del one["type"]
                    one["anyOf"] = [{"enum": list(found())}, {"type": "string"}]
                else:
                    one["enum"] = list(found())
    return schema


class _Generator(GenerateJsonSchema):
    """Describes each field by what stands below it in its class, and gives it no title beside its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """The schema of one class."""
        made = super().model_schema(schema)
        for cls in schema["cls"].__mro__:
            for field, words in _descriptions(cls).items():
                if field in made.get("properties", {}):
                    made["properties"][field].setdefault("description", words)
        return made


def _descriptions(cls: type) -> dict[str, str]:
    """What stands below each field in the source of a class; none where a program made the class."""
    definition = _definitions(cls.__module__).get(cls.__name__) if issubclass(cls, BaseModel) else None
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(definition.body if definition else ())
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


@cache
def _definitions(module: str) -> dict[str, ast.ClassDef]:
    """The classes in the source of a module."""
    body = ast.parse(inspect.getsource(sys.modules[module])).body
    return {node.name: node for node in body if isinstance(node, ast.ClassDef)}


def _strings(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The texts of a field: itself, its elements, and its alternatives."""
    if schema.get("type") == "string" and "enum" not in schema:
        yield schema
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _strings(inner)
    if isinstance(schema.get("items"), dict):
        yield from _strings(schema["items"])


def _allow_settings_of_kinds(schema: dict[str, Any]) -> None:
    """A stage has, beside its own keys, the settings of its kind and no others."""
    entry = schema["$defs"]["StageEntry"]
    own = dict.fromkeys(entry["properties"], True)
    entry["allOf"] = []
    for kind in (kind for kind in kind_names() if kind in schema["properties"]):
        (reference,) = (one["$ref"] for one in schema["properties"][kind]["anyOf"] if "$ref" in one)
        settings = schema["$defs"][reference.rpartition("/")[2]]["properties"]
        then = {"properties": own | settings, "additionalProperties": False}
        entry["allOf"].append({"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": then})


def _arm_pattern() -> str:
    """Arms of kinds with their sources and of a way of answering, joined by `+`."""
    kinds, ways, makers = ("|".join(map(re.escape, names)) for names in (kind_names(), answer_names(), maker_names()))
    stage = f"(?:{kinds})(?:@(?:{makers}))?"
    return rf"^(?:(?:{ways})|(?:{BASE}|{stage})(?:\+{stage})*(?:\+(?:{ways}))?)$"


def _short_arms() -> list[str]:
    """Every arm of at most two parts with which nothing is wrong in itself; of equal ones the first."""
    parts = [BASE, *kind_names(), *answer_names()]
    written = [*parts, *("+".join(pair) for pair in product(parts, repeat=2))]
    arms = [resolve([name], {})[name] for name in written if not own_problems(name, {})]
    ending = [arm for arm in arms if not arm.stages or find_kind(arm.stages[-1]).makes == "policy"]
    first = {(arm.stages, arm.answer): arm.name for arm in reversed(ending)}
    return sorted(first.values())


def _read_scalars_as_text(schema: Any) -> None:
    """Task files are read as text: a label may be written `1` or `no` without quotes."""
    if isinstance(schema, dict):
        if schema.get("type") == "string" and "enum" not in schema:
            schema["type"] = ["string", "number", "boolean", "null"]
        for inner in schema.values():
            _read_scalars_as_text(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _read_scalars_as_text(inner)
