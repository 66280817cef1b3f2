"""A study that takes seconds whose notes hold long forms: what stands beside them says which of two senses is meant."""

import csv
import random
from pathlib import Path
from typing import Any

from preceptor.data import Substituted

LORA: dict[str, Any] = {"type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
SENSES: dict[str, Any] = {"least": 8, "probability": 0.7, "epochs": 4, "learning_rate": 0.01, "window": 24}
STAGES: dict[str, Any] = {
    "first": {"kind": "senses", "table": "forms.csv", "train": ["one"], **SENSES},
    "control": {"kind": "senses", "table": "forms.csv", "train": ["one"], "shuffled": True, **SENSES},
    "moved": {"kind": "classify", "after": "first", "train": ["one", "head"], "epochs": 1},
    "moved-control": {"kind": "classify", "after": "control", "train": ["one", "head"], "epochs": 1},
    "plain": {"kind": "classify", "train": ["one", "head"], "epochs": 1},
}
STUDY: dict[str, Any] = {
    "slots": {"one": LORA, "head": {"type": "head", "pool": "attention"}},
    "stages": STAGES,
    "arms": [
        {"name": "encoder", "stages": ["plain"]},
        {"name": "senses+classify", "stages": ["first", "moved"], "against": ["encoder"]},
        {"name": "shuffled-senses+classify", "stages": ["control", "moved-control"]},
        "tfidf",
    ],
    "primary": [["senses+classify", "encoder"]],
}
_SAID = {
    "urgent": ["chest: myocardial infarction", "lungs: pulmonary embolism", "heart: right atrium wide"],
    "routine": ["mood: mental illness", "skin: pleural effusion old", "joints: rheumatoid arthritis"],
}


def write_forms(folder: Path) -> Path:
    """A table of three short forms with two senses each."""
    file = folder / "forms.csv"
    rows = ["MI,myocardial infarction", "MI,mental illness", "PE,pulmonary embolism", "PE,pleural effusion"]
    file.write_text("\n".join(["short,long", *rows, "RA,right atrium", "RA,rheumatoid arthritis"]) + "\n")
    return file


def write_notes(path: Path, patients: int = 130) -> Path:
    """A CSV as of `tiny_study.write_table`, in each note of which two long forms stand."""
    drawn = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient", "note", "urgency", "sex", "day"])
        for n in range(patients):
            label = ("urgent", "routine")[n % 2]
            said = drawn.sample(_SAID[label], 2)
            note = f"Visit {n}. {said[0]}. Heart rate {60 + n % 40}. {said[1]}."
            out.writerow([f"P{n:03}", note, label, "FM"[n % 2], f"2024-03-{n % 28 + 1:02}"])
    return path


def case(text: str, short: str, sense: str) -> Substituted:
    """A short form in a text, of a patient of its own."""
    start = text.index(short)
    return Substituted(text, start, start + len(short), sense, text, False)
