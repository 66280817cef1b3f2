"""A tiny study of cases that are longer than their encoder's positions; what tells the label stands in the middle."""

import csv
import random
from pathlib import Path
from typing import Any

from transformers import BertConfig

from tiny_model import build_tiny_encoder
from tiny_study import write_study

POSITIONS = 48
_WORDS = ("fever", "catheter", "urine", "pressure", "hours", "output", "creatinine", "no", "blood", "since", "with")
_SIGN = {"urgent": "warfarin", "routine": "amoxicillin"}
_AROUND = 30
"""Words in front of the signs, and behind them: more than a case that is cut to the positions keeps."""
_SIGNS = 12


def short_encoder(folder: Path) -> Path:
    """A tiny BERT that has few positions."""
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    return build_tiny_encoder(folder, config=BertConfig(**sizes, max_position_embeddings=POSITIONS))


def write_long_study(folder: Path, encoder: Path, *, patients: int = 80, **changes: Any) -> Path:
    """Arms `chunked`, on the whole case, and `cut`, on what is kept of it; every weight learns with a head."""
    drawn = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "cases.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient", "note", "urgency"])
        for n in range(patients):
            label = ("urgent", "routine")[n % 2]
            before, behind = (drawn.choices(_WORDS, k=_AROUND + drawn.randrange(12)) for _ in range(2))
            out.writerow([f"P{n:03}", " ".join([*before, *[_SIGN[label]] * _SIGNS, *behind]), label])
    whole: dict[str, Any] = {"type": "head", "pool": "mean", "chunk_length": POSITIONS, "chunk_overlap": 6}
    settings: dict[str, Any] = {
        "models": {"short": str(encoder)},
        "slots": {"whole": whole, "part": {"type": "head", "pool": "mean"}},
        "stages": {
            "chunked": {"kind": "classify", "train": ["whole"]},
            "cut": {"kind": "classify", "train": ["part"], "model": "short"},
        },
        "arms": ["chunked", "cut", "tfidf"],
        "primary": [["chunked", "cut"]],
        "adapter": "none",
        "classify": {"epochs": 7, "patience": 7, "batch_size": 8, "learning_rate": 0.003},
        "max_length": 128,
    }
    return write_study(folder, encoder, **settings | changes)
