"""Four systems' summaries of 100 dialogues of MTS-Dialog, scored by annotators for facts.

Ben Abacha et al., An investigation of evaluation methods in automatic medical note generation, Findings of ACL 2023.

The scores are in a second file beside the summaries, without ids, in the same row order.
"""

import csv
from itertools import groupby
from pathlib import Path

_SCORES = "MTS-Dialog-Manual-Scores4CorrelationStudy.csv"
_PERFECT = 1.0

Scored = tuple[dict[str, str], float]
"""A summary's row and its factual F1."""


def read(path: Path) -> list[dict[str, str]]:
    """One row per dialogue: `id`, `dialogue`, the clinician's `reference`, and the `worst` summary by factual F1.

    `worst` is empty where annotators found nothing wrong with any summary. Raises ValueError when the two files are of
    different length.
    """
    summaries, scores = _rows(path), [float(row["FactualF1"]) for row in _rows(path.with_name(_SCORES))]
    scored = sorted(zip(summaries, scores, strict=True), key=lambda one: int(one[0]["ID"]))
    return [_row(list(several)) for _, several in groupby(scored, key=lambda one: one[0]["ID"])]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _row(scored: list[Scored]) -> dict[str, str]:
    worst, score = min(scored, key=lambda one: one[1])
    return {
        "id": worst["ID"],
        "dialogue": worst["Dialogue"].strip(),
        "reference": worst["Reference Summary"].strip(),
        "worst": worst["Automatic Summary"].strip() if score < _PERFECT else "",
    }
