"""What answers: in float32 where labels are scored, and in bfloat16 beside it to show why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import Numerics
from preceptor.models import ModelSource
from preceptor.study.label_scores.scored import score_labels
from preceptor.study.predictions.answer_context import AnswerContext, answer_numerics
from prepared_study import prepare_tiny

SIXTEEN = Numerics(threads=1, dtype="bfloat16")


@pytest.fixture
def context(tmp_path: Path, tiny_source: ModelSource, tiny_tokenizer: Any) -> AnswerContext:
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, patients=120)
    numerics = answer_numerics(prepared.task, SIXTEEN)
    return AnswerContext(study, None, prepared, tiny_source, numerics, 0, None, "model")


def test_labels_have_weights_in_float32_and_text_those_of_the_study(context: AnswerContext) -> None:
    assert {weight.dtype for weight in context.load_policy().model.parameters()} == {torch.float32}
    label = context.task.task
    text = label.model_copy(update={"answer": label.answer.model_copy(update={"kind": "text", "labels": ()})})
    assert answer_numerics(text, SIXTEEN) == SIXTEEN
    wide = SIXTEEN.model_copy(update={"dtype": "float32"})
    assert answer_numerics(label, wide) == answer_numerics(text, wide) == wide, "keys of such studies stay"


def test_a_case_has_the_scores_alone_that_it_has_among_others(context: AnswerContext) -> None:
    def furthest(of: AnswerContext) -> float:
        policy, prompts = of.load_policy(), of.task.test[:12]

        def scores(some: list[list[int]]) -> torch.Tensor:
            return torch.from_numpy(score_labels(policy, of.task.task, some, of.numerics, of.study.max_length).values)

        alone = torch.cat([scores([one]) for one in prompts])
        return float((alone - scores(prompts)).abs().max())

    assert furthest(context) < 1e-4
    assert furthest(replace(context, numerics=SIXTEEN)) > furthest(context), "so near ties would fall otherwise"
