import math

import pytest
import torch

from preceptor.engine import DPOSettings, dpo_loss, reward_margins, sft_loss


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
