"""Argilla's records: the JSON that `dataset.records.to_json` and `dataset.to_disk` (`records.json`) write.

https://docs.argilla.io/latest/how_to_guides/import_export. Each rater's response becomes a row of its own, so raters
who disagree stay apart. A ranking of fields is a pair, best against worst; else the one question answered in words, or
by a label, is the right answer. The field `prompt`, or the only one that is not ranked, is the prompt.
"""

from collections import defaultdict
from typing import Any

from preceptor.preferences.interchange._asked import only_prompt
from preceptor.preferences.interchange._case import Case
from preceptor.preferences.interchange._row import Row

Responses = dict[str, Any]
"""Question -> what one rater answered."""


def rows(case: Case) -> list[Row]:
    """A row for each rater who answered this record."""
    fields = _object(case, "fields")
    case.lost |= {name for name in ("suggestions", "vectors") if _object(case, name)}
    by_rater = _by_rater(case)
    if not by_rater:
        case.lost.add("records without a submitted response")
    return [_row(case, fields, said, rater) for rater, said in by_rater.items()]


def _row(case: Case, fields: dict[str, Any], said: Responses, rater: str) -> Row:
    """What one rater said of the record."""
    shown: list[str] = []
    target = chosen = rejected = None
    asked = next((name for name, value in said.items() if _ranking(value, fields)), None) or _in_words(case, said)
    if asked and _ranking(said[asked], fields):
        shown = _ranking(said[asked], fields)
        chosen, rejected = _best_and_worst(case, said[asked], shown, fields)
    elif asked:
        target = said[asked]
    name, prompt = only_prompt(case, {key: value for key, value in fields.items() if key not in shown}, "fields")
    cells = {**_object(case, "metadata"), "id": case.cells.get("id"), "rater": rater}
    cells |= {key: value for key, value in fields.items() if key not in (name, *shown)}
    cells |= {key: value for key, value in said.items() if key != asked}
    own = Case(case.number, cells, wrong=case.wrong, lost=case.lost)
    return own.row(case.prompt(prompt, name or "fields"), set(), target=target, chosen=chosen, rejected=rejected)


def _in_words(case: Case, said: Responses) -> str | None:
    """The one question that was answered by a text or a label."""
    words = [name for name, value in said.items() if isinstance(value, str) and value.strip()]
    if len(words) == 1:
        return words[0]
    what = f"{len(words)} questions are answered in words and none by a ranking of two or more fields"
    case.refuse("responses", what, "Export records with one such question")
    return None


def _by_rater(case: Case) -> dict[str, Responses]:
    by_rater: dict[str, Responses] = defaultdict(dict)
    for question, responses in _object(case, "responses").items():
        for one in responses if isinstance(responses, list) else [responses]:
            if not isinstance(one, dict) or "value" not in one:
                case.refuse(f"responses.{question}", "an object with `value` was expected")
            elif one.get("status", "submitted") in ("submitted", None):
                by_rater[str(one.get("user_id") or "")][question] = one["value"]
            else:
                case.lost.add("responses that are drafts or discarded")
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
    """Rank and name of each entry; what has no rank stands in order."""
    entries = [one if isinstance(one, dict) else {"value": one} for one in value]
    return [(one.get("rank", place), one.get("value")) for place, one in enumerate(entries)]


def _best_and_worst(
    case: Case, value: list[Any], order: list[str], fields: dict[str, Any]
) -> tuple[str | None, str | None]:
    if len({rank for rank, _ in _ranks(value)}) == 1:
        case.lost.add("rankings in which all are equal")
        return None, None
    if len(order) > 2:
        case.lost.add("ranked answers between the best and the worst")
    best, worst = (fields[name] for name in (order[0], order[-1]))
    for name in (order[0], order[-1]):
        if not isinstance(fields[name], str) or not fields[name].strip():
            case.refuse(f"fields.{name}", "a ranked answer is empty or no text")
    return best, worst


def _object(case: Case, name: str) -> dict[str, Any]:
    value = case.cells.get(name) or {}
    if isinstance(value, dict):
        return value
    case.refuse(name, "an object was expected here", "Export with `records.to_json`, not flattened")
    return {}
