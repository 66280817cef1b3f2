"""What settings take, and what they are written as: stage keys are made of that."""

import json

import pytest
from pydantic import ValidationError

from preceptor.engine import DPOSettings, SFTSettings


@pytest.mark.parametrize("given", [5, 5.0])
def test_a_whole_number_of_warm_up_steps_is_written_as_an_integer(given: float) -> None:
    assert json.dumps(SFTSettings(warmup_steps=given).model_dump()["warmup_steps"]) == "5"
    assert json.dumps(SFTSettings(warmup_steps=0.0).model_dump()["warmup_steps"]) == "0"


def test_a_share_of_the_steps_is_written_as_it_is_given() -> None:
    assert SFTSettings(warmup_steps=0.25).model_dump()["warmup_steps"] == 0.25
    assert DPOSettings().warmup_steps == 0.1


@pytest.mark.parametrize("given", [-1, -0.1, 1.5, "a tenth"])
def test_what_is_neither_is_refused(given: object) -> None:
    """P1-3: a number of steps is a whole one, and what is below 1 a share of them."""
    with pytest.raises(ValidationError, match="warmup_steps"):
        SFTSettings.model_validate({"warmup_steps": given})
