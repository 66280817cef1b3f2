"""Abstracts with one of five groups of conditions (Medical-Abstracts, Schopf et al. 2022), as a `test` or `train` file.

An abstract stands in the set once for each condition it is filed under. A case is an abstract; one with several
conditions has no label. Every other abstract stands under `unlabelled`, without a condition: texts to learn from
without labels, which no case of the task is of. The others have a part that this reader gives: 11 of 36 train, 3
validation, 22 test.
"""

import csv
from pathlib import Path

CONDITIONS = {
    "1": "neoplasms",
    "2": "digestive system diseases",
    "3": "nervous system diseases",
    "4": "cardiovascular diseases",
    "5": "general pathological conditions",
}
_TRAIN, _VALIDATION, _ROUND = 11, 14, 36


def read(path: Path) -> list[dict[str, str]]:
    """One row per abstract: its number as `id`, `abstract` or `unlabelled`; of the former `condition` and `part`."""
    numbers: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for raw in csv.DictReader(file):
            numbers.setdefault(" ".join(raw["medical_abstract"].split()), []).append(raw["condition_label"])
    found: list[dict[str, str]] = []
    for number, (text, labels) in enumerate(numbers.items()):
        row = {"id": str(number + 1), "abstract": text, "unlabelled": "", "condition": "", "part": ""}
        if number % 2:
            found.append(row | {"abstract": "", "unlabelled": text})
            continue
        named = sorted({CONDITIONS[label] for label in labels})
        found.append(row | {"condition": "; ".join(named), "part": _part(number // 2)})
    return found


def _part(place: int) -> str:
    at = place % _ROUND
    return "train" if at < _TRAIN else "validation" if at < _VALIDATION else "test"
