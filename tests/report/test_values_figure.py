"""The figure of every arm's value: it is drawn whatever the arms are called."""

import json

import pytest

from made_results import made
from preceptor.report._values_figure import values_figure
from preceptor.study.results.schema import Results
from preceptor.study.spec.arms import Arm


@pytest.mark.parametrize("title", ["A task adapter " * 6, "A" * 95])
def test_a_long_title_stands_in_lines_and_leaves_room_for_the_axis(title: str) -> None:
    arm = Arm(name="long", stages=("sft",), title=title.strip())
    results = Results.model_validate_json(json.dumps(made({"base": 0.5, "long": 0.6}, arms=("base", arm), seeds=1)))
    drawn = values_figure("values", results)
    assert "0.60" in drawn
    assert title.strip() in drawn  # in words, in one piece
