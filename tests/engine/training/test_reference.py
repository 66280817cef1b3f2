"""The reference: the policy's own numbers, kept in a file, and what happens when the two come apart."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import EncodedPair, Numerics, answer_logprobs
from preceptor.engine.training import reference as reference_module
from preceptor.engine.training.reference import Reference, pair_logprobs, reference_of_policy
from preceptor.errors import InputError
from preceptor.models import Policy

MakePolicy = Callable[..., Policy]

STOP = 2
PAIRS = [
    EncodedPair([*range(100, 120), 200 + n], [10 + n % 2] * (1 + n % 2) + [STOP], [11 - n % 2] * (1 + n % 3) + [STOP])
    for n in range(12)
]
STEPS = [[3, 1, 0, 2], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reference.json"


def reference_of(
    policy: Policy,
    file: Path,
    pairs: Sequence[EncodedPair] = PAIRS,
    steps: Sequence[Sequence[int]] = STEPS,
    **numerics: Any,
) -> Reference:
    return reference_of_policy(policy, pairs, steps, Numerics(threads=1, **numerics), file)


class Drifting:
    """A machine that computes another number each time: every answer's first token, by `step` nats a call."""

    def __init__(self, step: float) -> None:
        self.step, self.calls = step, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        chosen, rejected = pair_logprobs(*args, **kwargs)
        for one in chosen:
            one[0] += self.step * self.calls
        return chosen, rejected


@torch.no_grad()
def test_it_is_the_policy_as_it_is_found(make_policy: MakePolicy, file: Path) -> None:
    policy = make_policy(tuned=1)
    reference = reference_of(policy, file)
    sequences = [one for pair in PAIRS for one in pair.sequences()]
    expected = [float(one.sum()) for one in answer_logprobs(policy.model, sequences, share=False)]
    got = torch.tensor([value for row in reference.logprobs for value in row])
    torch.testing.assert_close(got, torch.tensor(expected), atol=1e-4, rtol=0)
    untouched = torch.cat(answer_logprobs(make_policy().model, sequences[:2])).sum()
    assert abs(float(untouched) - sum(expected[:2])) > 0.01, "the untouched model would do as well"
    assert reference.cost.tokens_seen == sum(len(one.prompt + one.answer) for one in sequences)
    assert reference.cost.optimizer_steps == 0
    assert reference.gap is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_kept_one_is_read_and_compared_with_the_first_step(make_policy: MakePolicy, file: Path, dtype: Any) -> None:
    policy = make_policy(tuned=1, dtype=getattr(torch, dtype))
    first = reference_of(policy, file, dtype=dtype)
    written = file.stat().st_mtime_ns
    again = reference_of(policy, file, dtype=dtype)
    assert file.stat().st_mtime_ns == written, "computed twice"
    assert (again.logprobs, again.cost) == (first.logprobs, first.cost)
    assert again.gap == 0.0


@pytest.mark.parametrize(
    "changed",
    [
        {"pairs": [*PAIRS[:-1], EncodedPair([1, 2], [3, STOP], [4, STOP])]},
        {"steps": [STEPS[0], [*STEPS[1], *STEPS[2]]]},
        {"tokens_per_tree": 64},
        {"dtype": "bfloat16"},
    ],
    ids=["tokens", "steps", "trees", "number format"],
)
def test_one_that_was_made_for_something_else_is_computed_anew(
    changed: dict[str, Any], make_policy: MakePolicy, file: Path
) -> None:
    reference_of(make_policy(), file)
    before = json.loads(file.read_text())["for"]
    assert reference_of(make_policy(), file, **changed).gap is None
    assert json.loads(file.read_text())["for"] != before


def test_one_for_another_vocabulary_is_computed_anew(make_policy: MakePolicy, file: Path) -> None:
    policy = make_policy()
    reference_of(policy, file)
    before = json.loads(file.read_text())["for"]
    policy.tokenizer = [*range(len(policy.tokenizer) + 1)]  # only its length is asked for
    reference_of(policy, file)
    assert json.loads(file.read_text())["for"] != before


def test_another_policys_is_computed_once_more(make_policy: MakePolicy, file: Path, tmp_path: Path) -> None:
    reference_of(make_policy(tuned=2), file)
    own = reference_of(make_policy(tuned=1), tmp_path / "own.json")
    mended = reference_of(make_policy(tuned=1), file)
    assert mended.logprobs == own.logprobs
    assert mended.gap == 0.0
    assert json.loads(file.read_text())["logprobs"] == [list(row) for row in own.logprobs]


@pytest.mark.parametrize("damage", [math.nan, math.inf, -1e30, "many", None])
def test_a_damaged_number_is_computed_once_more(damage: Any, make_policy: MakePolicy, file: Path) -> None:
    whole = reference_of(make_policy(), file)
    kept = json.loads(file.read_text())
    kept["logprobs"][0][0] = damage
    file.write_text(json.dumps(kept))
    assert reference_of(make_policy(), file).logprobs == whole.logprobs
    assert json.loads(file.read_text())["logprobs"] == [list(row) for row in whole.logprobs]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"for": 1}'])
def test_a_file_that_is_none_is_computed_anew(text: str, make_policy: MakePolicy, file: Path) -> None:
    whole = reference_of(make_policy(), file)
    file.write_text(text)
    assert reference_of(make_policy(), file).logprobs == whole.logprobs


def test_what_rounding_explains_is_noted_and_nothing_is_computed_again(
    make_policy: MakePolicy, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy()
    reference_of(policy, file)
    written = file.stat().st_mtime_ns
    drifting = Drifting(2e-5)
    monkeypatch.setattr(reference_module, "pair_logprobs", drifting)
    reference = reference_of(policy, file)
    assert drifting.calls == 1
    assert reference.gap is not None
    assert 1e-6 < reference.gap < 1e-5
    assert file.stat().st_mtime_ns == written


def test_what_rounding_does_not_explain_is_computed_once_more_and_noted(
    make_policy: MakePolicy, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy()
    reference_of(policy, file)
    drifting = Drifting(1e-2)
    monkeypatch.setattr(reference_module, "pair_logprobs", drifting)
    reference = reference_of(policy, file)
    assert drifting.calls == 1 + len(STEPS) + 1
    assert reference.gap is not None
    assert 1e-5 < reference.gap < 0.05


def test_a_machine_that_never_computes_the_same_twice_is_told(
    make_policy: MakePolicy, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy()
    reference_of(policy, file)
    monkeypatch.setattr(reference_module, "pair_logprobs", Drifting(0.6))
    with pytest.raises(InputError, match="does not compute the same numbers twice") as error:
        reference_of(policy, file)
    assert "dtype: float32" in str(error.value)


def test_a_policy_that_gives_no_numbers_is_refused_and_nothing_is_kept(make_policy: MakePolicy, file: Path) -> None:
    policy = make_policy()
    with torch.no_grad():
        policy.model.get_input_embeddings().weight[PAIRS[3].chosen[0]] = math.nan
    with pytest.raises(InputError, match="no number"):
        reference_of(policy, file)
    assert not file.exists()
