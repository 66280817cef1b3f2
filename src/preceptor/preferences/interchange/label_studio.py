"""Label Studio's JSON export: tasks with `data` and `annotations`.

https://labelstud.io/guide/export, JSON. Each annotation becomes a row, so disagreements are kept. A `Pairwise`
choice or a `Ranker` without buckets is a pair; otherwise the only text (`TextArea`) or choice (`Choices`) is the right
answer. JSON_MIN and CSV exports are rejected: they do not identify annotations.
"""

import re
from dataclasses import replace
from typing import Any

from preceptor.preferences.interchange._record import Record, is_empty
from preceptor.preferences.interchange._row import Row

Result = dict[str, Any]


def rows(record: Record) -> list[Row]:
    """One row per annotation of this task."""
    data, annotations = record.cells.get("data"), record.cells.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        record.reject("data", "`data` and `annotations` were expected", "Export the project as JSON, not JSON_MIN")
        return []
    if not is_empty(record.cells.get("predictions")):
        record.lost.add("predictions")
    found = []
    for index, one in enumerate(annotations, 1):
        if not isinstance(one, dict) or not isinstance(one.get("result"), list):
            record.reject(f"annotations, {index}", "an object with a list `result` was expected")
        elif one.get("was_cancelled"):
            record.lost.add("annotations that were skipped")
        elif not one["result"]:
            record.lost.add("annotations without an answer")
        else:
            found.append(_row(record, data, one, f"annotations, {index}"))
    if not annotations:
        record.lost.add("tasks without an annotation")
    return found


def _row(record: Record, data: dict[str, Any], annotation: dict[str, Any], where: str) -> Row:
    results = [one for one in annotation["result"] if isinstance(one, dict) and isinstance(one.get("value"), dict)]
    if len(results) < len(annotation["result"]):
        record.reject(where, "a result is no object with `value`")
    comparison = next((one for one in results if one.get("type") in ("pairwise", "ranker")), None)
    answer = comparison or _only(record, results, where)
    target = chosen = rejected = None
    compared: tuple[str, ...] = ()
    hint = ""
    if comparison and comparison["type"] == "pairwise":
        compared, chosen, rejected = _pairwise(record, data, comparison, where)
    elif comparison:
        compared, chosen, rejected = _ranker(record, data, comparison, where)
    elif answer:
        target, hint = _single_text(answer), str(answer.get("to_name", ""))
    name, prompt = record.only_prompt({key: v for key, v in data.items() if key not in compared}, "data", hint)
    extra = {key: value for key, value in data.items() if key not in (name, *compared)}
    extra |= {str(one.get("from_name")): _value(one) for one in results if one is not answer}
    rater = annotation.get("completed_by")
    cells = {**extra, "id": record.cells.get("id"), "rater": rater.get("id") if isinstance(rater, dict) else rater}
    return replace(record, cells=cells, only_texts=False).row(
        record.prompt(prompt, name or "data"), set(), target=target, chosen=chosen, rejected=rejected
    )


def _pairwise(
    record: Record, data: dict[str, Any], result: Result, where: str
) -> tuple[tuple[str, ...], str | None, str | None]:
    """The two compared fields, the chosen text and the rejected one."""
    names = [name.strip() for name in str(result.get("to_name", "")).split(",")]
    if len(names) != 2 or any(name not in data for name in names):
        names = _siblings(data)
    side = result["value"].get("selected")
    if len(names) != 2 or side not in ("left", "right"):
        record.reject(where, "it does not say which of two answers was chosen", "Name the compared texts as the fields")
        return (), None, None
    better, worse = names if side == "left" else reversed(names)
    return tuple(names), _answer(record, f"data.{better}", data[better]), _answer(record, f"data.{worse}", data[worse])


def _ranker(
    record: Record, data: dict[str, Any], result: Result, where: str
) -> tuple[tuple[str, ...], str | None, str | None]:
    """The field of the ranked items, the first item's text and the last one's."""
    order = result["value"].get("ranker")
    name = next((key for key, value in data.items() if isinstance(value, list) and _bodies(value)), "")
    bodies = _bodies(data[name]) if name else {}
    if not isinstance(order, list) or len(order) < 2 or any(str(one) not in bodies for one in order):
        record.reject(where, "it does not rank the items of a list", "Rankers with buckets cannot be read")
        return (), None, None
    if len(order) > 2:
        record.lost.add("ranked answers between the best and the worst")
    best, worst = (_answer(record, f"data.{name}", bodies[str(one)]) for one in (order[0], order[-1]))
    return (name,), best, worst


def _bodies(items: list[Any]) -> dict[str, Any]:
    """Id -> text of the items of a Label Studio list."""
    return {str(one["id"]): one["body"] for one in items if isinstance(one, dict) and "id" in one and "body" in one}


def _siblings(data: dict[str, Any]) -> list[str]:
    """The only two fields whose names differ by a final 1 and 2; [] if there are none or several."""
    stems = [
        match.group(1) for name in data if (match := re.fullmatch(r"(.+)1", name)) and f"{match.group(1)}2" in data
    ]
    return [f"{stems[0]}1", f"{stems[0]}2"] if len(stems) == 1 else []


def _only(record: Record, results: list[Result], where: str) -> Result | None:
    """The only text result, else the only choice."""
    for kind in ("textarea", "choices"):
        found = [one for one in results if one.get("type") == kind]
        if len(found) == 1 and _single_text(found[0]) is not None:
            return found[0]
        if found:
            record.reject(where, f"there is not one {kind} with one answer", "Export a project with one of them")
            return None
    record.reject(where, "it has no pairwise, ranker, textarea or choices result", "Export a project with one of them")
    return None


def _single_text(result: Result) -> str | None:
    """The text of a `TextArea` or the label of `Choices`; None unless there is exactly one."""
    value = result["value"].get("text" if result.get("type") == "textarea" else "choices")
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return value if isinstance(value, str) and value.strip() else None


def _value(result: Result) -> Any:
    """A result's value: its single text, the entry for its type, or all of it."""
    words = _single_text(result)
    return words if words is not None else result["value"].get(str(result.get("type")), result["value"])


def _answer(record: Record, where: str, text: Any) -> str | None:
    if isinstance(text, str) and text.strip():
        return text
    record.reject(where, "an answer is empty or no text")
    return None
