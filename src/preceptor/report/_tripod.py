"""The TRIPOD-LLM checklist, each item with where a study answers it.

Gallifant et al., The TRIPOD-LLM reporting guideline for studies using large language models, Nature Medicine 2025;
31:60-69, doi 10.1038/s41591-024-03425-5.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from preceptor.study.results.schema import Results

_ITEMS = Path(__file__).parent / "tripod_llm.yaml"
_BY_AUTHORS = "The authors say this."
_REASONS = {
    "synthetic": "The cases are synthetic.",
    "untuned": "No language model was tuned.",
    "no labels": "No task has labels.",
    "no text": "No task asks for free text.",
}


@dataclass(frozen=True)
class Item:
    """One item: its number, what it asks, its state, what answers it, and the heading of the page where that stands."""

    number: str
    asks: str
    state: str
    where: str
    anchor: str


def checklist(results: Results) -> list[Item]:
    """All items of the statement, in its order."""
    kinds = _kinds(results)
    return [_item(raw, kinds) for raw in yaml.safe_load(_ITEMS.read_text(encoding="utf-8"))]


def _item(raw: dict[str, Any], kinds: set[str]) -> Item:
    if why := [kind for kind in raw.get("not_for", ()) if kind in kinds]:
        return Item(raw["item"], raw["asks"], "does not apply", _REASONS[why[0]], "")
    for kind, answer in raw.get("with", {}).items():
        if kind in kinds:
            return Item(raw["item"], raw["asks"], answer["state"], answer["where"], answer["at"])
    return Item(raw["item"], raw["asks"], raw["state"], raw.get("where", _BY_AUTHORS), raw.get("at", ""))


def _kinds(results: Results) -> set[str]:
    """What is true of this study, of `_REASONS` and of what items name under `with`."""
    tasks = results.study.tasks
    true = {
        "synthetic": all(task.synthetic for task in tasks),
        "untuned": not any(results.arm(arm).trained for arm in results.study.arms),
        "no labels": not any(task.labels or task.set_labels for task in tasks),
        "no text": all(task.labels or task.set_labels for task in tasks),
        "scored by raters": bool(results.human),
        "labelled by raters": any(task.human_agreement for task in tasks),
    }
    return {kind for kind, holds in true.items() if holds}
