"""Small nets over sets of codes: what depends on what, in float32."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import small_nets
from preceptor.engine import sequence_states
from preceptor.models import (
    BACKBONE,
    HEAD,
    CodeSetsSettings,
    ModelSource,
    Policy,
    SlotSettings,
    encode,
    fingerprint,
    heads_of,
    load_tokenizer,
    make_code_sets,
    start_policy,
    writes,
)
from preceptor.models._code_sets import UNKNOWN
from preceptor.tasks import DRUGS_OF_VISIT, PROFILE, write_visits

CODES = {"D": ["d1", "d2", "d3", "common"], "P": ["p 1", "p2", "common"], "M": ["m1", "m2", "folic acid"]}
TEXTS = [write_visits([CODES, {"D": ["d1"]}])]
VISITS = st.lists(
    st.dictionaries(
        st.sampled_from("DPM"), st.lists(st.sampled_from(["d1", "d2", "p 1", "common", "new"]), min_size=1)
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    return make_code_sets(
        "small", CodeSetsSettings(family="codes", width=16), TEXTS, tmp_path_factory.mktemp("made") / "small"
    )


@pytest.fixture(scope="module")
def policy(source: ModelSource) -> Policy:
    return new(source)


def new(source: ModelSource, seed: int = 0) -> Policy:
    slots = {HEAD: SlotSettings(type=HEAD, outputs=3)}
    return start_policy(source, None, slots, [BACKBONE, HEAD], seed=seed, dtype=torch.bfloat16)


def ids(policy: Policy, visits: list[dict[str, list[str]]]) -> list[int]:
    return encode(policy.tokenizer, [{"role": "user", "content": write_visits(visits)}], None).prompt


def states(policy: Policy, cases: list[list[dict[str, list[str]]]]) -> Tensor:
    (head,) = heads_of(policy.model).values()
    return sequence_states(policy.model, [ids(policy, one) for one in cases], head, share=False)


@given(st.lists(VISITS, min_size=2, max_size=5))
@settings(max_examples=10, deadline=None)
def test_trap_13_a_case_alone_has_the_state_that_it_has_in_a_padded_batch(
    policy: Policy, cases: list[list[dict[str, list[str]]]]
) -> None:
    with torch.no_grad():
        together = states(policy, cases)
        for one, found in zip(cases, together, strict=True):
            torch.testing.assert_close(states(policy, [one])[0], found, atol=1e-5, rtol=0)
    assert together.dtype == torch.float32, "whatever format the study's other models have"


@given(VISITS, st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_within_a_set_and_of_sets_says_nothing(policy: Policy, visits: list, mixer: object) -> None:
    mixed = []
    for visit in visits:
        kinds = [(kind, list(codes)) for kind, codes in visit.items()]
        for _, codes in kinds:
            mixer.shuffle(codes)  # type: ignore[attr-defined]
        mixer.shuffle(kinds)  # type: ignore[attr-defined]
        mixed.append(dict(kinds))
    with torch.no_grad():
        torch.testing.assert_close(states(policy, [mixed]), states(policy, [visits]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("count", [1, 2, 11, 20])
def test_trap_4_the_present_visit_is_read_however_many_there_are(policy: Policy, count: int) -> None:
    earlier = [{"D": ["d1"], "M": ["m1"]}] * (count - 1)
    with torch.no_grad():
        one, other = states(policy, [[*earlier, {"D": ["d1"]}], [*earlier, {"D": ["d2"]}]])
    assert (one - other).abs().max() > 1e-4


def test_the_present_visit_is_told_from_earlier_ones(source: ModelSource) -> None:
    policy = new(source)
    with torch.no_grad():
        policy.model.present.normal_()
        one, other = states(policy, [[{"D": ["d1"]}, {"D": ["d2"]}], [{"D": ["d2"]}, {"D": ["d1"]}]])
    assert (one - other).abs().max() > 1e-3


def test_trap_6_every_weight_has_a_gradient_at_the_first_step(source: ModelSource) -> None:
    policy = new(source)
    (head,) = heads_of(policy.model).values()
    head(states(policy, [[CODES, {"D": ["d1", "d2"], "P": ["p2"]}], [CODES, CODES]])).square().sum().backward()
    dead = [name for name, one in policy.model.named_parameters() if one.grad is None or not one.grad.any()]
    # A key's bias adds the same to every score of a row, which softmax does not see.
    assert [name for name in dead if not name.endswith("key.bias")] == []
    assert policy.learning.keys() == {BACKBONE, HEAD}


def test_trap_11_codes_that_training_never_showed_are_passed_over(policy: Policy) -> None:
    known, more = [{"D": ["d1"]}], [{"D": ["d1", "never seen"], "P": ["nor this"]}]
    assert ids(policy, more).count(UNKNOWN) == 2
    with torch.no_grad():
        torch.testing.assert_close(states(policy, [known]), states(policy, [more]), atol=1e-6, rtol=0)
        assert states(policy, [[{"D": ["never seen"]}], [{}]]).isfinite().all()


def test_a_profile_is_read_as_drugs_that_were_given_before_the_first_visit(tmp_path: Path) -> None:
    """Who comes for the first time has no others. Here the numbers of its own block are those of theirs."""
    about = {PROFILE: ["woman", "old"]}
    texts = [write_visits([about, CODES]), write_visits([{DRUGS_OF_VISIT: about[PROFILE]}])]
    policy = new(make_code_sets("small", CodeSetsSettings(family="codes", width=16), texts, tmp_path / "small"))
    kinds = policy.tokenizer.convert_ids_to_tokens(policy.model.config.kinds)
    assert kinds == ["D: ", "M: ", "P: ", "profile: "]
    policy.model.of_sets[1].load_state_dict(policy.model.of_sets[3].state_dict())
    for visits in ([{"D": ["d1"]}], [{"D": ["d2"], "M": ["m1"]}, {"D": ["d1"]}]):
        with torch.no_grad():
            without, told, given = states(policy, [visits, [about, *visits], [{"M": about[PROFILE]}, *visits]])
        torch.testing.assert_close(told, given, atol=1e-5, rtol=0)
        assert (told - without).abs().max() > 1e-4
    assert policy.model.state.in_features == 3 * 16


def test_a_net_without_profiles_is_what_it_was_before_there_were_any(source: ModelSource) -> None:
    assert "profile" not in json.loads((source.location / "config.json").read_text())


def test_a_text_is_read_as_it_was_written_whatever_stands_in_a_code(policy: Policy) -> None:
    text = "D: d1; [PAD]; a: b | M: folic acid\n-\n[...]\nD: d1"
    tokens = encode(policy.tokenizer, [{"role": "system", "content": "d2"}, {"role": "user", "content": text}], None)
    named = policy.tokenizer.convert_ids_to_tokens(tokens.prompt)
    unknown = "[UNK]"
    assert named[:3] == ["D: ", "d1", "[PAD]"]
    assert named[3:] == [unknown, "M: ", "folic acid", "\n", unknown, "\n", unknown, "\n", "D: ", "d1"]


def test_a_seed_draws_its_own_weights_and_the_folder_is_made_once(source: ModelSource) -> None:
    first, again, other = (new(source, seed).model.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["codes.weight"], other["codes.weight"])
    before = {file: file.stat().st_mtime_ns for file in source.location.iterdir()}
    assert make_code_sets("small", CodeSetsSettings(family="codes", width=16), TEXTS, source.location) == source
    assert {file: file.stat().st_mtime_ns for file in source.location.iterdir()} == before
    assert not writes(source)


def test_other_settings_or_codes_are_another_model(source: ModelSource, tmp_path: Path) -> None:
    wider = make_code_sets("small", CodeSetsSettings(family="codes", width=32), TEXTS, tmp_path / "wide")
    more = make_code_sets("small", CodeSetsSettings(family="codes", width=16), [*TEXTS, "D: d9"], tmp_path / "more")
    assert len({fingerprint(one) for one in (source, wider, more)}) == 3
    assert len(load_tokenizer(more)) == len(load_tokenizer(source)) + 1


def test_what_is_saved_gives_the_same_states(policy: Policy, source: ModelSource, tmp_path: Path) -> None:
    loaded = small_nets.saved_and_loaded(policy, source, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(states(loaded, [[CODES]]), states(policy, [[CODES]]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\u2028", "\x0b"])
def test_whatever_ends_a_line_it_is_a_visit(policy: Policy, tmp_path: Path, end: str) -> None:
    """As spreadsheets write a cell of several lines; a line end behind the last visit begins no other."""
    plain = "D: d1; d2 | M: m1\nD: d1\n-"
    other = f"{plain}\n".replace("\n", end)
    read = [encode(policy.tokenizer, [{"role": "user", "content": text}], None).prompt for text in (plain, other)]
    assert read[0] == read[1]
    settings = CodeSetsSettings(family="codes", width=16)
    made = [make_code_sets("small", settings, [text], tmp_path / str(n)) for n, text in enumerate((plain, other))]
    assert fingerprint(made[0]) == fingerprint(made[1])


def test_texts_without_codes_make_no_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no text has sets"):
        make_code_sets("small", CodeSetsSettings(family="codes"), ["Visit 1: fever", "-"], tmp_path / "none")
