import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AlbertConfig, AlbertModel

from preceptor.errors import InputError
from preceptor.models import (
    AdapterSettings,
    Encoded,
    adapter_slots,
    blueprint,
    encode,
    find_model,
    load_policy,
    load_tokenizer,
    new_policy,
    save_policy,
)
from preceptor.models.families import find_family

ENCODER = """
from transformers import AutoModel
from preceptor.models import Encoded

AUTO_MODEL = AutoModel
PEFT_TASK = "FEATURE_EXTRACTION"
POOL = "first"
WRITES = False

def trim(model):
    pass

def fits(config):
    return config.get("model_type") == "albert"

def missing(folder):
    return None

def check_tokenizer(tokenizer, where):
    pass

def encode(tokenizer, messages, answer):
    return Encoded(list(tokenizer(" ".join(turn["content"] for turn in messages))["input_ids"]), [])
"""


@pytest.fixture
def albert(tmp_path: Path, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a small ALBERT without a chat template, and the one file that makes its family known."""
    families = tmp_path / "families"
    families.mkdir()
    (families / "sentence_encoder.py").write_text(ENCODER)
    monkeypatch.setattr(
        "preceptor.models.families.__path__", [*sys.modules["preceptor.models.families"].__path__, str(families)]
    )
    folder = tmp_path / "albert"
    settings = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    AlbertModel(AlbertConfig(vocab_size=len(tiny_tokenizer), embedding_size=16, **settings)).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").unlink()
    yield folder
    sys.modules.pop("preceptor.models.families.sentence_encoder", None)


def test_a_family_is_one_file(albert: Path, tmp_path: Path) -> None:
    source = find_model(str(albert))
    tokenizer = load_tokenizer(source)
    turns = [{"role": "system", "content": "Read."}, {"role": "user", "content": "fever"}]
    assert encode(tokenizer, turns, None) == Encoded(tokenizer("Read. fever")["input_ids"], [])

    policy = new_policy(source, AdapterSettings(rank=2), seed=0, dtype=torch.float32)
    save_policy(policy, tmp_path / "kept")
    again = load_policy(source, tmp_path / "kept", dtype=torch.float32)
    assert type(again.model.get_base_model()) is AlbertModel
    assert policy.model.peft_config["default"].task_type == "FEATURE_EXTRACTION"
    names = {
        name for name, _ in blueprint(source, adapter_slots(AdapterSettings(rank=2)), torch.float32).named_parameters()
    }
    assert names == {name for name, _ in policy.model.named_parameters()}


def test_a_model_that_no_other_family_knows_is_causal(albert: Path, tiny_model_folder: Path, tmp_path: Path) -> None:
    for folder in (tiny_model_folder, tmp_path):
        assert find_family(folder).__name__ == "preceptor.models.families.causal"


def test_an_encoder_folder_that_cannot_be_used_is_refused_by_name(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_encoder_folder, tmp_path / "encoder"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | {"post_processor": None}))
    with pytest.raises(InputError, match="puts no classification token in front of a text"):
        load_tokenizer(find_model(str(folder)))
    (folder / "tokenizer.json").unlink()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pickle.*\n.*there is no tokenizer in it"):
        find_model(str(folder))


def test_without_its_file_a_bert_needs_a_chat_template(albert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(InputError, match="its tokenizer has no chat template"):
        find_model(str(albert))
