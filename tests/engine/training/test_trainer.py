from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor, nn

from preceptor.engine import Cost, SFTSettings, answer_logprobs
from preceptor.engine.training.arguments import training_arguments
from preceptor.engine.training.stage import run_stage
from preceptor.engine.training.trainer import StepTrainer
from preceptor.models import Encoded, Policy
from preceptor.progress import quiet

TREES = [[Encoded([1, 2, 3], [4, 5])], [Encoded([1, 2, 3], [6])], [Encoded([1, 2], [7])]]


def tree_loss(model: nn.Module, tree: list[Encoded], cost: Cost) -> tuple[Tensor, dict[str, float]]:
    (logprobs,) = answer_logprobs(model, tree, cost=cost)
    return -logprobs.sum() / len(TREES), {"trees": 1.0}


@pytest.mark.parametrize("idle_at", [0, 1, 3])
def test_a_tree_that_others_have_leaves_the_figures_of_a_step_whole(
    idle_at: int, make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    step: list[list[Encoded] | None] = [*TREES]
    step.insert(idle_at, None)
    history = []
    for name, trees in (("whole", [*TREES]), ("with an idle turn", step)):
        arguments = training_arguments(SFTSettings(), tmp_path / name, seed=0, steps=1, every=1, best=None)
        trainer = StepTrainer(make_policy(tuned=1).model, arguments, [trees], tree_loss, None, [], quiet)
        history.append(run_stage(trainer).history[0])
    assert history[0]["trees"] == history[1]["trees"] == len(TREES)
    assert history[0]["loss"] == history[1]["loss"]
