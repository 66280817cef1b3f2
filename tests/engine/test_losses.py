import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from preceptor.engine import (
    DPOSettings,
    balanced_labels,
    dpo_loss,
    label_loss,
    label_set_loss,
    reward_margins,
    sft_loss,
)
from preceptor.engine.losses import label_priors, label_weights


def test_sft_loss_is_the_negative_sum() -> None:
    assert float(sft_loss(torch.tensor([-0.5, -1.25, 0.0]))) == 1.75


def test_margins_by_hand() -> None:
    chosen, rejected = torch.tensor([-2.0, -5.0]), torch.tensor([-4.0, -3.0])
    reference_chosen, reference_rejected = torch.tensor([-3.0, -5.0]), torch.tensor([-3.5, -3.0])
    # (-2 + 3) - (-4 + 3.5) = 1.5; a policy that is its reference has no margin, however likely its answers are.
    assert reward_margins(chosen, rejected, reference_chosen, reference_rejected).tolist() == [1.5, 0.0]


@pytest.mark.parametrize("beta", [0.01, 0.1, 5.0])
def test_dpo_loss_is_ln_2_where_the_policy_is_its_reference(beta: float) -> None:
    assert dpo_loss(torch.zeros(3), beta).tolist() == pytest.approx([math.log(2)] * 3)


def test_dpo_loss_by_hand() -> None:
    expected = [math.log(1 + math.exp(-0.2)), math.log(1 + math.exp(0.3))]
    assert dpo_loss(torch.tensor([2.0, -3.0]), 0.1).tolist() == pytest.approx(expected)


def test_dpo_loss_stays_finite_far_out() -> None:
    assert dpo_loss(torch.tensor([1e4, -1e4]), 1.0).tolist() == [0.0, 1e4]


def test_the_slope_is_minus_half_beta_at_the_start() -> None:
    margins = torch.zeros(1, requires_grad=True)
    dpo_loss(margins, 0.3).sum().backward()
    assert margins.grad is not None
    assert margins.grad.item() == pytest.approx(-0.15)


def test_the_other_losses_by_hand() -> None:
    margins = torch.tensor([2.0, -3.0])
    right = [math.log(1 + math.exp(-0.2)), math.log(1 + math.exp(0.3))]
    wrong = [math.log(1 + math.exp(0.2)), math.log(1 + math.exp(-0.3))]
    conservative = [0.9 * r + 0.1 * w for r, w in zip(right, wrong, strict=True)]
    robust = [(0.9 * r - 0.1 * w) / 0.8 for r, w in zip(right, wrong, strict=True)]
    assert dpo_loss(margins, 0.1, "sigmoid", 0.1).tolist() == pytest.approx(conservative)
    assert dpo_loss(margins, 0.1, "robust", 0.1).tolist() == pytest.approx(robust)
    assert dpo_loss(margins, 0.1, "ipo").tolist() == pytest.approx([9.0, 64.0])
    assert dpo_loss(margins, 0.1, "hinge").tolist() == pytest.approx([0.8, 1.3])


def test_without_smoothing_robust_is_sigmoid() -> None:
    margins = torch.linspace(-5, 5, 11)
    assert torch.equal(dpo_loss(margins, 0.3, "robust"), dpo_loss(margins, 0.3, "sigmoid"))


@pytest.mark.parametrize("loss_type", ["ipo", "hinge"])
def test_smoothing_that_would_do_nothing_is_refused(loss_type: str) -> None:
    with pytest.raises(ValueError, match="label_smoothing does nothing"):
        DPOSettings.model_validate({"loss_type": loss_type, "label_smoothing": 0.1})


@pytest.mark.parametrize("smoothing", [0.5, 0.9, -0.1])
def test_smoothing_lies_below_a_half(smoothing: float) -> None:
    with pytest.raises(ValueError, match="label_smoothing"):
        DPOSettings.model_validate({"label_smoothing": smoothing})


scores_and_gold = st.integers(2, 6).flatmap(
    lambda labels: st.tuples(
        st.lists(st.floats(-20, 20, width=32), min_size=labels, max_size=labels), st.integers(0, labels - 1)
    )
)


def slope(loss: Callable[[torch.Tensor], torch.Tensor], scores: list[float]) -> torch.Tensor:
    """Of a loss in the scores of one case, in float64."""
    tensor = torch.tensor([scores], dtype=torch.float64, requires_grad=True)
    loss(tensor).sum().backward()
    assert tensor.grad is not None
    return tensor.grad[0]


def test_label_loss_by_hand() -> None:
    scores = torch.tensor([[-1.0, -1.0], [-2.0, -2.0 - math.log(3)]])
    assert label_loss(scores, torch.tensor([0, 1])).tolist() == pytest.approx([math.log(2), math.log(4)])


def test_the_loss_of_several_labels_by_hand() -> None:
    """-log sigmoid(0) and -log(1 - sigmoid(log 3)), the mean over labels of each case (float32)."""
    scores = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    expected = [(math.log(2) + math.log(4)) / 2, math.log(2)]
    assert label_set_loss(scores, torch.tensor([[1, 0], [0, 1]])).tolist() == pytest.approx(expected)


@given(scores_and_gold)
def test_the_slope_of_the_label_loss_is_the_mean_wrong_label_minus_the_right_one(
    drawn: tuple[list[float], int],
) -> None:
    """sum over r of p_r (e_r - e_y): what listwise preference of y has, drawn against the policy's own labels."""
    scores, y = drawn
    p, units = torch.tensor(scores, dtype=torch.float64).softmax(0), torch.eye(len(scores), dtype=torch.float64)
    expected = sum((p[r] * (units[r] - units[y]) for r in range(len(scores))), torch.zeros(len(scores)))
    torch.testing.assert_close(slope(lambda s: label_loss(s, torch.tensor([y])), scores), expected)


@given(scores_and_gold)
def test_two_labels_are_a_logistic_regression_and_dpo_with_a_reference_that_finds_both_alike(
    drawn: tuple[list[float], int],
) -> None:
    scores, y = torch.tensor([drawn[0][:2]], dtype=torch.float64), drawn[1] % 2
    right, wrong = scores[:, y], scores[:, 1 - y]
    loss = label_loss(scores, torch.tensor([y]))
    torch.testing.assert_close(loss, torch.log1p(torch.exp(wrong - right)))
    alike = torch.zeros(1, dtype=torch.float64)
    torch.testing.assert_close(loss, dpo_loss(reward_margins(right, wrong, alike, alike), beta=1.0))


@given(scores_and_gold, st.floats(0.01, 5))
def test_pairs_of_the_right_label_over_those_of_the_policy_have_the_slope_of_the_label_loss(
    drawn: tuple[list[float], int], beta: float
) -> None:
    """What `check` says of DPO on bare labels: where the policy is the reference, it is beta / 2 times that slope."""
    scores, y = drawn
    p = torch.tensor(scores, dtype=torch.float64).softmax(0)
    mean = torch.zeros(len(scores), dtype=torch.float64)
    for r in {*range(len(scores))} - {y}:
        now = torch.tensor(scores, dtype=torch.float64)[None]
        mean += p[r] * slope(
            lambda s, r=r, now=now: dpo_loss(reward_margins(s[:, y], s[:, r], now[:, y], now[:, r]), beta), scores
        )
    expected = beta / 2 * slope(lambda s: label_loss(s, torch.tensor([y])), scores)
    torch.testing.assert_close(mean, expected)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6).filter(any))
def test_weights_of_labels_have_mean_1_and_give_each_label_that_occurs_the_same_part(counts: list[int]) -> None:
    there = torch.tensor(counts, dtype=torch.float64)
    weights = label_weights(there)
    assert float((weights * there).sum() / there.sum()) == pytest.approx(1)
    parts = [float(weight * count) for weight, count in zip(weights, there, strict=True) if count]
    assert parts == pytest.approx([parts[0]] * len(parts))


def test_priors_of_labels_are_their_shares() -> None:
    assert label_priors(torch.tensor([6.0, 2.0])).exp().tolist() == pytest.approx([0.75, 0.25])
    assert label_priors(torch.tensor([3.0, 0.0])).exp().tolist() == pytest.approx([0.75, 0.25]), "as if it had one case"


def test_what_balances_labels() -> None:
    scores, gold, trained_on = (
        torch.tensor([[-1.0, -4.0], [-3.0, -2.0]]),
        torch.tensor([0, 1]),
        torch.tensor([0, 0, 0, 1]),
    )
    same, ones = balanced_labels(scores, gold, trained_on, "none")
    assert same is scores
    assert ones.tolist() == [1, 1]
    same, weights = balanced_labels(scores, gold, trained_on, "class_weights")
    assert same is scores
    assert weights.tolist() == pytest.approx([2 / 3, 2])
    adjusted, ones = balanced_labels(scores, gold, trained_on, "logit_adjustment")
    torch.testing.assert_close(adjusted - scores, torch.tensor([[0.75, 0.25]] * 2).log())
    assert ones.tolist() == [1, 1]


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5))
def test_adjusted_scores_that_fit_the_frequencies_favour_no_label(counts: list[int]) -> None:
    """Of a case that says nothing, the adjusted loss is least where all labels score the same."""
    trained_on = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    scores = torch.zeros(len(trained_on), len(counts), dtype=torch.float64, requires_grad=True)
    adjusted, _ = balanced_labels(scores, trained_on, trained_on, "logit_adjustment")
    label_loss(adjusted, trained_on).sum().backward()
    assert scores.grad is not None
    assert scores.grad.sum(dim=0).tolist() == pytest.approx([0] * len(counts), abs=1e-9)
