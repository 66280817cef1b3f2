"""What the documentation lists is what the code has."""

import importlib
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from preceptor.data import DataSpec
from preceptor.study import make_study
from preceptor.study.spec.found import answer_names, find_settings, kind_names, outcome_names
from preceptor.study.spec.setting_blocks import study_class

DOCS = Path(__file__).parents[1] / "docs"
ROOMS = ("tasks", "models", "evidence", "data", "engine", "preferences", "comparison", "study", "report", "interface")


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_stands_in_rooms(room: str) -> None:
    text = (DOCS / "ROOMS.md").read_text()
    section = text.split(f"\n## {room}: ")[1].split("\n## ")[0]
    public = importlib.import_module(f"preceptor.{room}").__all__
    assert [name for name in public if not re.search(rf"\b{name}\b", section)] == []


def test_every_key_of_the_data_block_is_explained() -> None:
    section = (DOCS / "DATA.md").read_text().split("## The `data:` block")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section, re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"\w+", row)]
    assert sorted(explained) == sorted(DataSpec.model_fields)


def test_the_settings_shown_are_all_settings_with_their_defaults() -> None:
    block = (DOCS / "RUN_FOLDER.md").read_text().split("```yaml\n")[1].split("```")[0]
    raw = yaml.safe_load(block)
    fields = study_class().model_fields
    task = get_args(fields["tasks"].annotation)[0]
    assert set(raw) == set(fields)
    assert set(raw["tasks"][0]) | {"chosen", "classify", "clm", "dpo", "encoder", "pairs", "senses", "states"} == set(
        task.model_fields
    )
    shown = make_study(raw, "docs/RUN_FOLDER.md")
    named = (*kind_names(), *answer_names(), *outcome_names())
    blocks = {name: find_settings(name) for name in named if find_settings(name)}
    of_user = {"endpoint", "stereotypes"}  # which have no defaults
    for name in set(raw) - {"name", "question", "tasks", *blocks}:
        assert getattr(shown, name) == fields[name].default
    for name in set(blocks) - of_user:
        assert getattr(shown, name) == blocks[name]()
    assert shown.endpoint is None
    for name in ("adapter", "numerics", *set(blocks) - {"endpoint"}):
        every = set(type(getattr(shown, name)).model_fields) - {"dropout"}  # it can only be 0
        assert set(raw[name]) == every
    alone = make_study({name: raw[name] for name in ("name", "tasks")}, "docs/RUN_FOLDER.md").model_dump()
    blocks_without_arms = {"clm", "senses", "chosen", "classify", "encoder", "shots", "states", *outcome_names()}
    left_out = {"load_in_4bit", "models", "slots", "stages", "also", "report_to", "endpoint", *blocks_without_arms}
    assert set(alone) == set(raw) - left_out
    assert set(shown.model_dump()) == set(alone) | blocks_without_arms


def test_whom_to_tell_of_a_fault_is_filled_in_in_one_place() -> None:
    root = DOCS.parent
    pages = {page.name: page.read_text() for folder in (root, DOCS) for page in folder.glob("*.md")}
    assert [name for name, text in pages.items() for _ in re.findall(r"\*\*Contact:\*\*", text)] == ["SECURITY.md"]
    assert "**Contact:**" in pages["SECURITY.md"].split("## Reporting a fault")[1]
    assert "SECURITY.md" in pages["GOVERNANCE.md"]
