"""GGUF files read back with transformers, and beside the file the built-in model came in; Ollama's Modelfile."""

import io
import re
from copy import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader, TokenType
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, Qwen2Config

from preceptor.errors import InputError
from preceptor.models import load_policy, load_tokenizer
from preceptor.ship import export
from preceptor.ship._gguf import cannot_be_gguf, write_gguf
from preceptor.ship._gguf_vocabulary import read_vocabulary
from preceptor.ship._merge import merged
from preceptor.ship._modelfile import TurnMarkers, modelfile, read_turn_markers
from preceptor.ship._reload import _apply_rope_factors
from preceptor.study import ArmOfRun, open_arm
from tiny_model import CHAT_TEMPLATE

QUIET = Console(file=io.StringIO())
TOLERANCE = {"f32": 1e-4, "f16": 3e-2}
"""How far logits may be from those of the measured model, as a share of the largest: this one is small, was tuned hard,
and is asked nonsense. From those of the merged model with its matrices rounded alike they may not differ at all.
"""
SMOLLM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}"
    + CHAT_TEMPLATE.removeprefix("{% for message in messages %}")
)
LLAMA_3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n\n' + message['content'] | trim + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n\n' }}{% endif %}"
)
FIRST_TURN_ONLY = (
    "{% for message in messages %}{{ loop.index ~ message['role'] ~ message['content'] ~ '<|im_end|>' }}{% endfor %}"
)


@pytest.fixture
def arm(shipped_run: Path) -> ArmOfRun:
    return open_arm(shipped_run, "urgency", "sft+dpo")


@pytest.mark.parametrize("stored", ["f32", "f16"])
def test_a_file_loads_again_with_its_logits_its_answers_and_its_tokenizer(
    stored: Any, arm: ArmOfRun, tmp_path: Path
) -> None:
    done = export(arm, "gguf", tmp_path / "out", gguf_type=stored, console=QUIET)
    assert done.parity is not None
    assert (done.parity.total, done.parity.same) == (20, 20)
    assert done.rounding is not None
    assert (done.rounding.weight_error > 0) == (stored == "f16")
    where: dict[str, Any] = {"gguf_file": "model.gguf"}
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out", **where)
    policy, (rounded, _) = load_policy(arm.source, arm.folder, dtype=torch.float32), merged(arm, torch.float32)
    for weight in rounded.parameters():
        if weight.ndim > 1 and stored == "f16":
            weight.data = weight.data.half().float()
    ids = torch.randint(0, 500, (3, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found, wanted = again(ids).logits, policy.model(ids).logits
        assert torch.equal(found, rounded(ids).logits)
    assert (found - wanted).abs().max() / wanted.abs().max() < TOLERANCE[stored]
    text = "Creatinine 2.4 mg/dL<|im_end|>\n- no fever"
    read: Any = AutoTokenizer.from_pretrained(tmp_path / "out", **where)
    assert read(text).input_ids == policy.tokenizer(text).input_ids
    assert read.chat_template == policy.tokenizer.chat_template
    assert again.config.eos_token_id == policy.tokenizer.eos_token_id
    kinds = {tensor.tensor_type.name for tensor in GGUFReader(tmp_path / "out" / "model.gguf").tensors}
    assert kinds == ({"F32"} if stored == "f32" else {"F16", "F32"})


def test_other_families_are_sent_to_the_converter_of_llama_cpp(tiny_tokenizer: Any) -> None:
    problem = cannot_be_gguf(Qwen2Config(vocab_size=len(tiny_tokenizer)), tiny_tokenizer)
    assert problem is not None
    assert "qwen2" in problem.what
    assert "convert_hf_to_gguf.py" in problem.fix
    yarn = LlamaConfig(rope_parameters={"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0})
    for config in (LlamaConfig(attention_bias=True), LlamaConfig(mlp_bias=True), yarn):
        config.vocab_size = len(tiny_tokenizer)
        assert cannot_be_gguf(config, tiny_tokenizer) is not None
    assert cannot_be_gguf(LlamaConfig(vocab_size=len(tiny_tokenizer)), tiny_tokenizer) is None


def test_another_architecture_is_refused_before_anything_is_written(
    arm: ArmOfRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preceptor.ship._export.AutoConfig.from_pretrained", lambda *_, **__: Qwen2Config())
    with pytest.raises(InputError, match="convert_hf_to_gguf"):
        export(arm, "gguf", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_how_text_is_cut_is_named_or_the_file_is_refused(tiny_source: Any) -> None:
    digits = pre_tokenizers.Digits(individual_digits=True)
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
    named = {
        "gpt-2": plain,
        "smollm": pre_tokenizers.Sequence([digits, plain]),
        None: pre_tokenizers.Sequence([plain, digits]),
    }
    for name, cut in named.items():
        tokenizer = load_tokenizer(tiny_source)
        tokenizer.backend_tokenizer.pre_tokenizer = cut
        vocabulary = read_vocabulary(tokenizer, len(tokenizer))
        assert (vocabulary.pre_tokenizer if vocabulary else None) == name


def test_rows_without_a_token_are_marked_unused(tiny_tokenizer: Any) -> None:
    vocabulary = read_vocabulary(tiny_tokenizer, len(tiny_tokenizer) + 3)
    assert vocabulary is not None
    assert vocabulary.types[-3:] == [TokenType.UNUSED] * 3
    assert len(set(vocabulary.tokens)) == len(vocabulary.tokens)


def test_slowed_rotary_frequencies_are_kept(tiny_tokenizer: Any, tmp_path: Path) -> None:
    """Llama 3's long contexts: transformers does not read what llama.cpp needs, so it is put back from the file."""
    scaled = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=64,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=False,
        rope_parameters=scaled,
    )
    model: Any = LlamaForCausalLM(config).eval()
    write_gguf(model, tiny_tokenizer, tmp_path / "model.gguf", "scaled", "f32")
    where: dict[str, Any] = {"gguf_file": "model.gguf"}
    again: Any = AutoModelForCausalLM.from_pretrained(tmp_path, **where)
    ids = torch.arange(200)[None]
    with torch.no_grad():
        unscaled = again(ids).logits
        _apply_rope_factors(again, tmp_path / "model.gguf")
        assert torch.allclose(again(ids).logits, model(ids).logits, atol=1e-5)
        assert not torch.allclose(unscaled, model(ids).logits, atol=1e-5)


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, SMOLLM, LLAMA_3])
@given(st.lists(st.text("ab <{", min_size=1).map(lambda text: f"x{text}y"), min_size=4, max_size=4), st.booleans())
def test_the_turns_of_a_modelfile_are_those_of_the_chat_template(
    template: str, tiny_tokenizer: Any, texts: list[str], system: bool
) -> None:
    tokenizer = with_template(tiny_tokenizer, template)
    turns = read_turn_markers(tokenizer)
    assert turns is not None
    roles = ("system", "user", "assistant", "user")
    talk = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)][0 if system else 1 :]
    wanted = tokenizer.apply_chat_template(talk, add_generation_prompt=True, tokenize=False)
    assert turns.render(talk) == wanted == as_go_would(turns.go_template(), talk)


def with_template(tokenizer: Any, template: str) -> Any:
    other = copy(tokenizer)
    other.chat_template = template
    return other


def as_go_would(template: str, talk: list[dict[str, str]]) -> str:
    """What Ollama's template engine makes of it, of the few actions that are used."""
    plain = template.replace('{{ "{{" }}', "\0")
    first = re.match(r"{{ if not \.System }}(.*?){{ end }}", plain, re.DOTALL)
    found = re.fullmatch(
        r"{{ range \.Messages }}{{ if eq \.Role \"system\" }}(.*?){{ else if eq \.Role \"user\" }}(.*?)"
        r"{{ else if eq \.Role \"assistant\" }}(.*?){{ end }}{{ end }}",
        plain[first.end() :] if first else plain,
        re.DOTALL,
    )
    assert found is not None
    bodies = dict(zip(("system", "user", "assistant"), found.groups(), strict=True))
    start = first[1] if first and not any(one["role"] == "system" for one in talk) else ""
    return start.replace("\0", "{{") + "".join(
        one["content"].join(bodies[one["role"]].split("{{ .Content }}")).replace("\0", "{{") for one in talk
    )


def test_a_template_that_does_more_is_not_put_into_ollamas_language(arm: ArmOfRun, tiny_tokenizer: Any) -> None:
    tokenizer = with_template(tiny_tokenizer, FIRST_TURN_ONLY)
    assert read_turn_markers(tokenizer) is None


def test_the_modelfile_fixes_what_the_study_fixed(arm: ArmOfRun, tiny_tokenizer: Any) -> None:
    lines = modelfile(arm, tiny_tokenizer, "model.gguf").splitlines()
    assert "FROM ./model.gguf" in lines
    assert 'SYSTEM """Answer urgent or routine."""' in lines
    assert {
        "PARAMETER temperature 0",
        "PARAMETER repeat_penalty 1",
        "PARAMETER num_predict 6",
        "PARAMETER num_ctx 256",
        'PARAMETER stop """<|im_end|>"""',
    } <= set(lines)


def test_turns_without_a_default_need_no_condition() -> None:
    assert not TurnMarkers("a", "", "b", "c", "d", "e").go_template().startswith("{{ if not .System }}")
