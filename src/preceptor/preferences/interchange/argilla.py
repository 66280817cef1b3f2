"""Argilla's records: the JSON that `dataset.records.to_json` and `dataset.to_disk` (`records.json`) write.

https://docs.argilla.io/latest/how_to_guides/import_export. Each rater's response becomes a row, so
disagreements are kept. A ranking of fields is a pair, best against worst; otherwise the only text or label answer is
the right answer. The field `prompt`, or the only one that is not ranked, is the prompt.
"""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from preceptor.preferences.interchange._record import Record
from preceptor.preferences.interchange._row import Row

Responses = dict[str, Any]
"""Question -> one rater's answer."""


def rows(record: Record) -> list[Row]:
    """One row per rater who answered this record."""
    fields = _object(record, "fields")
    record.lost |= {name for name in ("suggestions", "vectors") if _object(record, name)}
    by_rater = _by_rater(record)
    if not by_rater:
        record.lost.add("records without a submitted response")
    return [_row(record, fields, answers, rater) for rater, answers in by_rater.items()]


def _row(record: Record, fields: dict[str, Any], answers: Responses, rater: str) -> Row:
    """The row of one rater's response."""
    ranked: list[str] = []
    target = chosen = rejected = None
    question = next((name for name, value in answers.items() if _ranking(value, fields)), None)
    question = question or _only_text(record, answers)
    if question and _ranking(answers[question], fields):
        ranked = _ranking(answers[question], fields)
        chosen, rejected = _best_and_worst(record, answers[question], ranked, fields)
    elif question:
        target = answers[question]
    name, prompt = record.only_prompt({key: value for key, value in fields.items() if key not in ranked}, "fields")
    cells = {**_object(record, "metadata"), "id": record.cells.get("id"), "rater": rater}
    cells |= {key: value for key, value in fields.items() if key not in (name, *ranked)}
    cells |= {key: value for key, value in answers.items() if key != question}
    return replace(record, cells=cells, only_texts=False).row(
        record.prompt(prompt, name or "fields"), set(), target=target, chosen=chosen, rejected=rejected
    )


def _only_text(record: Record, answers: Responses) -> str | None:
    """The only question answered by a text or a label."""
    words = [name for name, value in answers.items() if isinstance(value, str) and value.strip()]
    if len(words) == 1:
        return words[0]
    what = f"{len(words)} questions are answered in words and none by a ranking of two or more fields"
    record.reject("responses", what, "Export records with one such question")
    return None


def _by_rater(record: Record) -> dict[str, Responses]:
    by_rater: dict[str, Responses] = defaultdict(dict)
    for question, responses in _object(record, "responses").items():
        for one in responses if isinstance(responses, list) else [responses]:
            if not isinstance(one, dict) or "value" not in one:
                record.reject(f"responses.{question}", "an object with `value` was expected")
            elif one.get("status", "submitted") in ("submitted", None):
                by_rater[str(one.get("user_id") or "")][question] = one["value"]
            else:
                record.lost.add("responses that are drafts or discarded")
    return by_rater


def _ranking(value: Any, fields: dict[str, Any]) -> list[str]:
    """Names of fields, best first: a list of them, or of objects with `value` and `rank`. [] for any other value."""
    if not isinstance(value, list) or len(value) < 2:
        return []
    ranks = _ranks(value)
    if not all(isinstance(name, str) and name in fields and isinstance(rank, int) for rank, name in ranks):
        return []
    return [str(name) for _, name in sorted(ranks, key=lambda one: int(one[0]))]


def _ranks(value: list[Any]) -> list[tuple[Any, Any]]:
    """Rank and name of each entry; default rank: its index."""
    entries = [one if isinstance(one, dict) else {"value": one} for one in value]
    return [(one.get("rank", index), one.get("value")) for index, one in enumerate(entries)]


def _best_and_worst(
    record: Record, value: list[Any], order: list[str], fields: dict[str, Any]
) -> tuple[str | None, str | None]:
    if len({rank for rank, _ in _ranks(value)}) == 1:
        record.lost.add("rankings in which all are equal")
        return None, None
    if len(order) > 2:
        record.lost.add("ranked answers between the best and the worst")
    best, worst = (fields[name] for name in (order[0], order[-1]))
    for name in (order[0], order[-1]):
        if not isinstance(fields[name], str) or not fields[name].strip():
            record.reject(f"fields.{name}", "a ranked answer is empty or no text")
    return best, worst


def _object(record: Record, name: str) -> dict[str, Any]:
    value = record.cells.get(name) or {}
    if isinstance(value, dict):
        return value
    record.reject(name, "an object was expected here", "Export with `records.to_json`, not flattened")
    return {}
