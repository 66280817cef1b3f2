"""The JSON Schemas: they take every study and task of the repository, and refuse what `check` refuses, in its line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from command_line import CommandLine
from preceptor._new import NewStudy, write_new
from preceptor._schema import SchemaOf, json_schema
from preceptor.data import DataSpec, read_table
from preceptor.errors import InputError
from preceptor.preferences import maker_names
from preceptor.strict_yaml import line_of
from preceptor.study import kind_names, load_study, study_class
from preceptor.tasks import load_task
from tiny_study import write_table

ROOT = Path(__file__).parents[1]
WHICH: tuple[SchemaOf, ...] = ("study", "task", "results")
VALIDATORS = {of: Draft202012Validator(json_schema(of)) for of in WHICH}


def which(path: Path) -> SchemaOf | None:
    """What a YAML file is; None for neither study nor task."""
    keys = yaml.safe_load(path.read_text())
    return "study" if "tasks" in keys else "task" if "prompt" in keys else None


FILES = [
    (of, path)
    for folder in ("src", "examples", "tests", "docs", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
    if (of := which(path))
]

STUDY = """\
name: mine
seeds: [0]
makers: [near_miss]
stages:
  gentle: {kind: dpo, beta: 0.3}
arms:
  - base
  - sft
  - sft+gentle
tasks:
  - task: urgency.task.yaml
    data:
      path: cases.csv
      group: patient
    margin: 0.05
sft: {epochs: 2}
adapter: {rank: 4}
max_length: 256
"""
WITHOUT_STAGES = STUDY.replace("stages:\n  gentle: {kind: dpo, beta: 0.3}\n", "").replace("+gentle", "+dpo")
BROKEN_STUDIES = [
    (STUDY, "seeds: [0]", "sedes: [0]", 2),
    (STUDY, "seeds: [0]", "seeds: [0, -1]", 2),
    (STUDY, "[near_miss]", "[near_mist]", 3),
    (STUDY, "kind: dpo", "kind: dop", 5),
    (STUDY, "beta: 0.3", "beat: 0.3", 5),
    (STUDY, "  - sft\n", "  - {name: mine, stage: [sft]}\n", 8),
    (STUDY, "    data:\n      path: cases.csv\n      group: patient\n", "", 11),
    (STUDY, "group: patient", "grop: patient", 14),
    (STUDY, "margin: 0.05", "margin: 5", 15),
    (STUDY, "epochs: 2", "epochs: two", 16),
    (STUDY, "adapter: {rank: 4}", "adapter: lora", 17),
    (STUDY, "max_length: 256", "max_length: 8", 18),
    (WITHOUT_STAGES, "sft+dpo", "sft+dppo", 7),
    (WITHOUT_STAGES, "sft+dpo", "sft+dpo@nobody", 7),
]

TASK = """\
name: smoke
title: Smoking
question: Does the patient smoke?
source: A test
fields:
  note: The note
instruction: Answer yes, no or 1.
prompt: "{note}"
cut: note
answer:
  kind: label
  labels:
    yes: smokes
    no: does not
    1: 2024
  max_new_tokens: 4
metric: macro_f1
also: [accuracy, {metric: sensitivity, labels: [1]}]
"""
BROKEN_TASKS = [
    ("title: Smoking", "titel: Smoking", 2),
    ("  note: The note", "  note: [The note]", 6),
    ("instruction: Answer", "instruction: {say: 1}\n# Answer", 7),
    ("kind: label", "kind: lable", 11),
    ("max_new_tokens: 4", "max_new_tokens: 0", 16),
    ("also: [accuracy, {metric", "also: [{metrik", 18),
]


def as_editors_read(text: str) -> Any:
    """A YAML file as JSON: its keys are texts."""
    return json.loads(json.dumps(yaml.safe_load(text)))


def line_that_is_refused(of: SchemaOf, text: str) -> int | None:
    """The line of what a schema likes least: of a key that it does not know, the key's own."""
    error = best_match(VALIDATORS[of].iter_errors(as_editors_read(text)))
    if error is None:
        return None
    place = [*error.absolute_path]
    if error.validator == "additionalProperties":
        place.append(min(set(error.instance) - set(error.schema["properties"])))
    return line_of(text, ".".join(map(str, place)))


@pytest.mark.parametrize("of", WHICH)
def test_they_are_schemas(of: SchemaOf) -> None:
    Draft202012Validator.check_schema(json_schema(of))


@pytest.mark.parametrize(("of", "path"), FILES, ids=lambda one: one.name if isinstance(one, Path) else one)
def test_every_study_and_task_of_the_repository_is_taken(of: SchemaOf, path: Path) -> None:
    VALIDATORS[of].validate(as_editors_read(path.read_text()))


def test_studies_and_tasks_were_found() -> None:
    named = {path.relative_to(ROOT).as_posix() for _, path in FILES}
    assert {"tests/front_door.yaml", "src/preceptor/study/builtin/quickstart.yaml", "examples/savage2024.yaml"} <= named
    assert len([of for of, _ in FILES if of == "task"]) >= 14


def test_the_settings_that_the_documentation_shows_are_taken() -> None:
    blocks = re.findall("```yaml\n(.*?)```", (ROOT / "docs/RUN_FOLDER.md").read_text(), re.DOTALL)
    VALIDATORS["study"].validate(as_editors_read(blocks[0]))
    rest: dict[str, Any] = {"name": "x", "tasks": [{"task": "summarization", "data": {"cases": 9}}]}
    for block in blocks[1:]:
        VALIDATORS["study"].validate(rest | as_editors_read(block))


@pytest.mark.parametrize(("text", "good", "bad", "line"), BROKEN_STUDIES, ids=[bad for _, _, bad, _ in BROKEN_STUDIES])
def test_what_is_wrong_with_a_study_is_refused_in_its_line(
    tmp_path: Path, text: str, good: str, bad: str, line: int
) -> None:
    assert text.count(good) == 1
    assert line_that_is_refused("study", text) is None
    broken = text.replace(good, bad)
    assert line_that_is_refused("study", broken) == line
    file = tmp_path / "mine.yaml"
    file.write_text(broken)
    with pytest.raises(InputError) as refused:
        load_study(str(file))
    assert any(one.where.startswith(f"{file}, line {line}, ") for one in refused.value.problems), refused.value


@pytest.mark.parametrize(("good", "bad", "line"), BROKEN_TASKS, ids=[bad for _, bad, _ in BROKEN_TASKS])
def test_what_is_wrong_with_a_task_is_refused_in_its_line(tmp_path: Path, good: str, bad: str, line: int) -> None:
    assert TASK.count(good) == 1
    assert line_that_is_refused("task", TASK) is None
    broken = TASK.replace(good, bad)
    assert line_that_is_refused("task", broken) == line
    file = tmp_path / "mine.task.yaml"
    file.write_text(TASK)
    assert load_task(file).labels == ("yes", "no", "1")
    file.write_text(broken)
    with pytest.raises(InputError) as refused:
        load_task(file)
    assert any(one.where.startswith(f"{file}, line {line}, ") for one in refused.value.problems), refused.value


def test_arms_are_those_of_the_grammar_and_stages_of_ones_own_are_words() -> None:
    def takes(**settings: Any) -> bool:
        return VALIDATORS["study"].is_valid(as_editors_read(WITHOUT_STAGES) | settings)

    for arm in ("base", "base+shots", "tfidf", "sft+sft", "clm+sft", "sft+dpo@judge", "sft+pairs+dpo", "sft+dpo+shots"):
        assert takes(arms=[arm]), arm
    for arm in ("rlhf", "sft+", "+sft", "sft+base", "shots+sft", "sft+dpo@", "", 3):
        assert not takes(arms=[arm]), arm
    assert takes(arms=["mild"], stages={"mild": {"kind": "sft", "epochs": 1}})
    assert not takes(arms=["mild"], stages={"mild": {"kind": "sft", "beta": 1}}), "a setting of another kind"
    assert takes(adapter="none", report_to="none")
    assert takes(report_to={"name": "mlflow", "url": "http://127.0.0.1:5000"})
    assert not takes(report_to="excel")


def test_editors_show_what_a_setting_is_and_which_names_there_are() -> None:
    study = json_schema("study")
    assert set(study["properties"]) == set(study_class().model_fields)
    assert study["description"].startswith("A study as its file says it")
    assert study["$defs"]["TaskEntry"]["description"].startswith("One task of a study")
    assert study["properties"]["load_in_4bit"]["description"].startswith("Whether the model's linear layers")
    data = study["$defs"]["DataSpec"]
    assert (
        data["properties"]["group"]["description"]
        == "The column of the patient, or `each row`: every row is a different patient."
    )
    assert set(data["properties"]) == set(DataSpec.model_fields)
    assert study["properties"]["makers"]["items"]["enum"] == maker_names()
    assert study["$defs"]["StageEntry"]["properties"]["kind"]["enum"] == list(kind_names())
    (arms,) = (one["anyOf"][0]["enum"] for one in study["properties"]["arms"]["items"]["oneOf"] if "anyOf" in one)
    assert {"base", "shots", "sft", "sft+dpo", "sft+sft", "tfidf"} <= set(arms)
    assert "title" not in study["properties"]["name"]


@pytest.mark.parametrize("of", WHICH)
def test_the_command_prints_it(preceptor: CommandLine, of: str) -> None:
    printed = preceptor.run("schema", of)
    assert printed.code == 0
    assert json.loads(printed.shown)["title"] == {"study": "Study", "task": "Task", "results": "Results"}[of]


def test_the_command_prints_that_of_a_study_unless_told(preceptor: CommandLine) -> None:
    assert preceptor.run("schema").shown == preceptor.run("schema", "study").shown
    assert preceptor.run("schema", "pizza").code == 2


def test_new_files_name_schemas_that_lie_beside_them(tmp_path: Path) -> None:
    table = read_table(write_table(tmp_path / "cases.csv"))
    files = write_new(table, tmp_path / "out", "mine", NewStudy(["note"], "urgency", "patient"))
    for of, path in (("study", files.study), ("task", files.task)):
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
        assert named
        assert not Path(named[1]).is_absolute()
        schema = json.loads((path.parent / named[1]).read_text())
        assert schema == json_schema(of)  # type: ignore[arg-type]
        Draft202012Validator(schema).validate(as_editors_read(path.read_text()))
        assert str(tmp_path) not in path.read_text() + json.dumps(schema)
