import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel

from preceptor.errors import InputError
from preceptor.models import (
    EMBEDDED,
    EMBEDDED_ENCODER,
    ModelSource,
    context_length,
    find_model,
    fingerprint,
    list_models,
)


@pytest.fixture
def folder(tiny_model_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(tiny_model_folder, tmp_path / "hospital-model"))


def whats(folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        find_model(str(folder))
    assert all(problem.fix for problem in caught.value.problems)
    return [problem.what for problem in caught.value.problems]


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes))


def test_a_whole_folder_is_found(folder: Path) -> None:
    source = find_model(str(folder))
    assert (source.kind, source.title, source.location) == ("folder", "hospital-model", folder)


def test_a_missing_folder_is_not_looked_up_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("models/mistyped", "./nowhere/model", "/nowhere", "no-such-model"):
        with pytest.raises(InputError, match="there is no such folder"):
            find_model(name)


@pytest.mark.usefixtures("no_network")
def test_a_hub_id_without_network_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"model some-team/no-such-model: .* cannot be downloaded"):
        find_model("some-team/no-such-model")


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (what,) = whats(folder)
    assert "pickle" in what


def test_missing_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert whats(folder) == ["there is no model.safetensors in it"]


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert whats(folder) == ["weights are missing: model-1.safetensors"]


@pytest.mark.parametrize("size", [0, 4, 1000])
def test_weights_that_are_cut_off_are_refused(folder: Path, size: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    assert whats(folder) == ["these weights are damaged: model.safetensors"]


def test_of_several_files_the_pointer_of_git_lfs_is_named(folder: Path) -> None:
    (folder / "model-1.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert whats(folder) == ["these weights are damaged: model-1.safetensors"]


def test_remote_code_is_refused(folder: Path) -> None:
    edit_json(folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_x.X"})
    (what,) = whats(folder)
    assert "auto_map" in what


def test_every_problem_is_told_at_once(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "tokenizer.json").unlink()
    assert whats(folder) == ["there is no model.safetensors in it", "there is no tokenizer in it"]


def test_a_missing_chat_template_is_refused(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    assert whats(folder) == ["its tokenizer has no chat template"]


def test_a_broken_configuration_is_named(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    (what,) = whats(folder)
    assert what == "it is not valid JSON"


def test_the_embedded_model_has_to_be_fetched_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match="preceptor models fetch"):
        find_model(EMBEDDED)
    known, encoder, multilingual = list_models()
    assert (known.name, known.fetched, known.size) == (EMBEDDED, False, 0)
    assert (encoder.name, encoder.fetched, encoder.size) == (EMBEDDED_ENCODER, False, 0)
    assert (multilingual.name, multilingual.fetched, multilingual.size) == ("multilingual-e5-small", False, 0)
    assert "Q4_1" in known.title
    assert known.location.is_relative_to(tmp_path)


def test_the_fingerprint_names_content_not_place(folder: Path, tiny_model_folder: Path) -> None:
    before = fingerprint(find_model(str(folder)))
    assert before == fingerprint(find_model(str(tiny_model_folder)))
    edit_json(folder / "config.json", transformers_version="0")
    (folder / "README.md").write_text("no part of the model")
    assert fingerprint(find_model(str(folder))) == before


@pytest.mark.parametrize("name", ["model.safetensors", "chat_template.jinja", "tokenizer.json", "config.json"])
def test_the_fingerprint_sees_every_change(folder: Path, name: str) -> None:
    source = find_model(str(folder))
    before = fingerprint(source)
    if name.endswith(".json"):
        edit_json(folder / name, changed=1)
    else:
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert fingerprint(source) != before


def test_the_context_length_is_that_of_the_configuration(folder: Path) -> None:
    assert context_length(find_model(str(folder))) == 4096
    edit_json(folder / "config.json", max_position_embeddings=77)
    assert context_length(find_model(str(folder))) == 77


@torch.no_grad()
@pytest.mark.parametrize("kind", ["bert", "camembert", "mpnet", "roberta", "xlm-roberta"])
def test_the_context_length_of_an_encoder_is_what_it_can_read(kind: str, tmp_path: Path) -> None:
    """Of some, positions begin behind that of padding, so that the first ones are never used."""
    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = AutoConfig.for_model(kind, vocab_size=100, max_position_embeddings=20, pad_token_id=1, **sizes)
    config.save_pretrained(tmp_path)
    length = 20 if kind == "bert" else 18
    assert context_length(ModelSource(kind, kind, tmp_path, "folder")) == length
    model: Any = AutoModel.from_config(config).eval()
    model(input_ids=torch.full((1, length), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, length + 1), 5))


@pytest.mark.parametrize("shard", ["pytorch_model.bin", "../elsewhere/model.safetensors", "/tmp/model.safetensors"])
def test_an_index_names_safetensors_of_its_own_folder_only(folder: Path, shard: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": shard}}))
    assert any("no safetensors file of this folder" in what for what in whats(folder))


@pytest.mark.parametrize("changes", [{"model_type": "of-tomorrow"}, {"max_position_embeddings": "many"}])
def test_a_config_that_transformers_cannot_read_is_told(folder: Path, changes: dict[str, str]) -> None:
    edit_json(folder / "config.json", **changes)
    with pytest.raises(InputError, match=rf"model {folder}: transformers cannot read its config\.json \(\w+\)"):
        context_length(find_model(str(folder)))
