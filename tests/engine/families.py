"""Tiny random models of the families that share prefixes, and pairs for them that TRL can be given as text."""

import random
from collections.abc import Callable
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from preceptor.engine import EncodedPair

VOCABULARY, PLACES = 96, 64
PAD, STOP = 0, 1
WINDOW = 8
"""Far shorter than a prompt, so that every answer token has prefix tokens out of its sight."""

_TOKENS: dict[str, Any] = {"vocab_size": VOCABULARY, "pad_token_id": PAD, "bos_token_id": None, "eos_token_id": STOP}
TWO_LAYERS: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
_SMALL: dict[str, Any] = _TOKENS | TWO_LAYERS | {"max_position_embeddings": PLACES}
_ONE_LAYER_OF_EACH_KIND: dict[str, Any] = {
    "sliding_window": WINDOW,
    "layer_types": ["sliding_attention", "full_attention"],
}
# Gemma divides its scores by the root of a number of its own; here by that of the head's width, as everyone does.
_GEMMA = _SMALL | _ONE_LAYER_OF_EACH_KIND | {"query_pre_attn_scalar": 8}

FAMILIES: dict[str, Callable[[], PretrainedConfig]] = {
    "llama": lambda: LlamaConfig(**_SMALL),
    "mistral": lambda: MistralConfig(**_SMALL, sliding_window=None),
    "mistral with a window": lambda: MistralConfig(**_SMALL, sliding_window=WINDOW),
    "qwen3": lambda: Qwen3Config(**_SMALL),
    "qwen3 with a window": lambda: Qwen3Config(**_SMALL, **_ONE_LAYER_OF_EACH_KIND, use_sliding_window=True),
    "gemma3": lambda: Gemma3TextConfig(**_GEMMA),
    # Caps low enough to bend the scores and logits of such a small model.
    "gemma2": lambda: Gemma2Config(**_GEMMA, attn_logit_softcapping=2.0, final_logit_softcapping=4.0),
    "gpt2": lambda: GPT2Config(
        **_TOKENS, n_embd=32, n_layer=2, n_head=4, n_positions=PLACES, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    ),
}


def new_model(family: str) -> nn.Module:
    """The same weights at every call. Only Gemma 2's eager code bends attention scores: its sdpa code is refused."""
    torch.manual_seed(0)
    attention = "eager" if family == "gemma2" else "sdpa"
    model: nn.Module = AutoModelForCausalLM.from_config(
        FAMILIES[family](), attn_implementation=attention, dtype=torch.float32
    )
    return model


def make_pairs(count: int) -> list[EncodedPair]:
    """Pairs of about 25 tokens an answer: shared instruction, own note, answers that begin alike and differ in length.

    Every fourth one leaves the instruction half way, and every fifth has the prompt of the one before it.
    """
    rng = random.Random(0)
    instruction = rng.choices(range(2, VOCABULARY), k=12)
    made: list[EncodedPair] = []
    for number in range(count):
        note = rng.choices(range(2, VOCABULARY), k=rng.randint(4, 8))
        prompt = instruction[: 6 if number % 4 == 3 else 12] + note
        if number % 5 == 4:
            prompt = made[-1].prompt
        chosen = rng.choices(range(2, 40), k=rng.randint(1, 6))
        alike = chosen[: rng.randint(0, len(chosen))]
        rejected = alike + rng.choices(range(40, VOCABULARY), k=rng.randint(1, 4))
        made.append(EncodedPair(prompt, [*chosen, STOP], [*rejected, STOP]))
    return made


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer for which every token id is a word, so that text stands for exactly the ids one wants."""
    words = {"<pad>": PAD, "<stop>": STOP} | {f"w{token}": token for token in range(2, VOCABULARY)}
    backend = Tokenizer(WordLevel(words, unk_token="<pad>"))
    backend.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<stop>")


def as_text(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    """The words of `ids`, each with a space before it."""
    return "".join(f" {word}" for word in tokenizer.convert_ids_to_tokens(ids))
