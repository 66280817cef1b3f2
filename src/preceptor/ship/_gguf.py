"""A Llama model as one GGUF file, which llama.cpp and Ollama read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from gguf import MODEL_ARCH, GGUFWriter, LlamaFileType, get_tensor_name_map
from torch import Tensor

from preceptor.errors import Problem
from preceptor.models import encode_answer, measured_template
from preceptor.ship._gguf_vocabulary import Vocabulary, read_vocabulary

GGUFType = Literal["f16", "f32"]
"""The dtype of the matrices; vectors are always float32."""

LEAST_AGREEMENT = 0.95
"""Share of validation cases on which the free text must agree with the label that the study scored highest."""

_ARCHITECTURE = "llama"
_ROPES = ("default", "llama3")


def cannot_be_gguf(config: Any, tokenizer: Any) -> Problem | None:
    """Why the model cannot be written as GGUF; None if it can."""
    what = None
    if config.model_type != _ARCHITECTURE:
        what = f"only models of the Llama family can be written, and this one is of the family {config.model_type}"
    elif config.attention_bias or config.mlp_bias:
        what = "its layers have biases, which Llama's do not have"
    elif (rope := config.rope_parameters["rope_type"]) not in _ROPES:
        what = f"its positions are scaled by the rule {rope}, which is not known here"
    elif read_vocabulary(tokenizer, config.vocab_size) is None:
        what = "its tokenizer is none of those that are known here (byte-level BPE, as of GPT-2, SmolLM and Llama 3)"
    if what is None:
        return None
    fix = (
        "Take `--to merged`, then llama.cpp's converter on that folder: "
        "`python convert_hf_to_gguf.py FOLDER --outfile model.gguf`"
    )
    return Problem("--to gguf", what, fix)


def free_text(form: Mapping[str, float]) -> str:
    """How far what llama.cpp and Ollama will be told agrees with the labels that the study measured.

    form: of an arm's free text on validation cases, see `ArmOfRun.form`.
    """
    agreed, read = (round(form[share] * form["cases"]) for share in ("agreement", "readable"))
    return (
        f"Programs that read GGUF write free text and cannot score labels: of {form['cases']:g} texts on validation "
        f"cases {agreed} agreed with the label of the highest score, and {read} were an answer at all"
    )


def write_gguf(model: Any, tokenizer: Any, file: Path, name: str, gguf_type: GGUFType) -> None:
    """Write `model`, whose weights are float32 on the CPU, to `file`. `cannot_be_gguf` must have returned None."""
    vocabulary = read_vocabulary(tokenizer, model.config.vocab_size)
    assert vocabulary is not None
    writer = GGUFWriter(file, _ARCHITECTURE)
    writer.add_type("model")
    writer.add_name(name)
    writer.add_file_type(LlamaFileType.MOSTLY_F16 if gguf_type == "f16" else LlamaFileType.ALL_F32)
    _add_shape(writer, model.config)
    _add_tokenizer(writer, tokenizer, vocabulary)
    for key, tensor in _tensors(model):
        half = gguf_type == "f16" and tensor.ndim > 1
        writer.add_tensor(key, tensor.astype(np.float16) if half else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: GGUFWriter, config: Any) -> None:
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _add_tokenizer(writer: GGUFWriter, tokenizer: Any, vocabulary: Vocabulary) -> None:
    stop = encode_answer(tokenizer, "")[-1]
    writer.add_tokenizer_model("gpt2")  # llama.cpp's name for byte-level BPE
    writer.add_tokenizer_pre(vocabulary.pre_tokenizer)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(stop)
    writer.add_eot_token_id(stop)
    for add, token in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if token is not None:
            add(token)
    # The chat template writes BOS and any leading space.
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(measured_template(tokenizer))


def _tensors(model: Any) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Each tensor with its GGUF name."""
    config = model.config
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"attn_q.weight": config.num_attention_heads, "attn_k.weight": config.num_key_value_heads}
    if config.rope_parameters["rope_type"] != "default":
        yield "rope_freqs.weight", _rope_factors(model, config.rope_parameters).numpy()
    weights: Mapping[str, Tensor] = model.state_dict()
    for key, weight in weights.items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        name = names.get_name(key, try_suffixes=(".weight",))
        assert name is not None, key
        count = heads.get(name.partition(".")[2].partition(".")[2])
        yield name, (weight if count is None else _interleaved(weight, count)).contiguous().numpy()


def _interleaved(weight: Tensor, heads: int) -> Tensor:
    """Query or key projection with its rows permuted to llama.cpp's RoPE layout, which rotates adjacent rows of a head.

    transformers rotates row i with row i + head_dim / 2. weight: [heads * head_dim, hidden_size].
    """
    halves = weight.view(heads, 2, -1, weight.shape[1])
    return halves.transpose(1, 2).reshape(weight.shape)


def _rope_factors(model: Any, rope: Mapping[str, Any]) -> Tensor:
    """RoPE scaling factors: unscaled / scaled frequency. [head_dim / 2], float32."""
    inv_freq: Tensor = model.model.rotary_emb.inv_freq.double().cpu()
    exponent = torch.arange(len(inv_freq), dtype=torch.float64) / len(inv_freq)
    unscaled = torch.pow(float(rope["rope_theta"]), -exponent)
    return (unscaled / inv_freq).float()
