"""What answers: in float32 after training in bfloat16, and in bfloat16 beside it to show why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import Numerics
from preceptor.models import ModelSource
from preceptor.study.label_scores.scored import score_labels
from preceptor.study.predictions.answer_context import AnswerContext
from prepared_study import prepare_tiny

SIXTEEN = Numerics(threads=1, dtype="bfloat16")


@pytest.fixture
def context(tmp_path: Path, tiny_source: ModelSource, tiny_tokenizer: Any) -> AnswerContext:
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, patients=120)
    return AnswerContext(study, None, prepared, tiny_source, SIXTEEN.answering, 0, None, "model")


def test_the_policy_that_answers_has_the_format_of_answers(context: AnswerContext) -> None:
    for chosen, held in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        numerics = SIXTEEN.model_copy(update={"answer_dtype": chosen}).answering
        policy = replace(context, numerics=numerics).load_policy()
        assert {weight.dtype for weight in policy.model.parameters()} == {held}


def test_a_case_has_the_scores_alone_that_it_has_among_others(context: AnswerContext) -> None:
    def furthest(of: AnswerContext) -> float:
        policy, prompts = of.load_policy(), of.task.test[:12]

        def scores(some: list[list[int]]) -> torch.Tensor:
            return torch.from_numpy(score_labels(policy, of.task.task, some, of.numerics, of.study.max_length).values)

        alone = torch.cat([scores([one]) for one in prompts])
        return float((alone - scores(prompts)).abs().max())

    assert furthest(context) < 1e-4
    assert furthest(replace(context, numerics=SIXTEEN)) > furthest(context), "so near ties would fall otherwise"
