import pytest
import torch
from torch import Tensor, nn

from preceptor.engine.tree import head
from preceptor.engine.tree.head import token_logprobs

ROWS, WIDTH, VOCABULARY = 11, 6, 40


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_ROWS", 4)


def case(*, bias: bool, learns: bool) -> tuple[Tensor, nn.Linear, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(ROWS, WIDTH, generator=generator).requires_grad_()
    head = nn.Linear(WIDTH, VOCABULARY, bias=bias)
    for weight in head.parameters():
        weight.data = torch.randn(weight.shape, generator=generator)
        weight.requires_grad_(learns)
    # A row may be asked twice, in any order, and one is not asked at all.
    rows = torch.tensor([10, 0, 3, 3, 7, 1, 2, 4, 5, 6, 9, 3])
    return hidden, head, rows, torch.randint(VOCABULARY, rows.shape, generator=generator)


def plain(hidden: Tensor, head: nn.Linear, rows: Tensor, targets: Tensor, softcap: float | None) -> Tensor:
    logits = head(hidden)
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    return logits.log_softmax(-1)[rows, targets]


@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("learns", [False, True])
def test_values_and_gradients_are_those_of_a_log_softmax(bias: bool, learns: bool, softcap: float | None) -> None:
    hidden, head, rows, targets = case(bias=bias, learns=learns)
    leaves = [hidden, *(weight for weight in head.parameters() if learns)]
    weights = torch.linspace(-1, 2, len(rows))
    got, expected = (f(hidden, head, rows, targets, softcap) for f in (token_logprobs, plain))
    torch.testing.assert_close(got, expected)
    for a, b in zip(
        torch.autograd.grad((got * weights).sum(), leaves),
        torch.autograd.grad((expected * weights).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_no_gradient_is_prepared_where_none_is_asked_for() -> None:
    hidden, head, rows, targets = case(bias=False, learns=False)
    with torch.no_grad():
        torch.testing.assert_close(
            token_logprobs(hidden, head, rows, targets, None), plain(hidden, head, rows, targets, None)
        )
    assert head.weight.grad is None


def test_sixteen_bits_keep_the_small_slope_of_a_likely_token() -> None:
    generator = torch.Generator().manual_seed(0)
    head = nn.Linear(WIDTH, VOCABULARY, bias=False).requires_grad_(False)
    head.weight.data = torch.randn(VOCABULARY, WIDTH, generator=generator)
    target = torch.tensor([7])
    direction = head.weight[7] / head.weight[7].norm()
    slopes = []
    for dtype in (torch.float32, torch.bfloat16):
        hidden = (14 * direction)[None].to(dtype).requires_grad_()
        logprob = token_logprobs(hidden, head.to(dtype), torch.tensor([0]), target, None)
        assert -0.01 < logprob.item() < 0, "this token was meant to be likely"
        slopes.append(torch.autograd.grad(logprob.sum(), hidden)[0].float())
    assert (slopes[1] - slopes[0]).norm() < 0.1 * slopes[0].norm()
