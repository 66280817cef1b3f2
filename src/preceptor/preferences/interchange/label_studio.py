"""Label Studio's JSON export: tasks with `data` and `annotations`.

https://labelstud.io/guide/export, JSON. Each annotation becomes a row of its own, so annotators who disagree stay
apart. A `Pairwise` choice or a `Ranker` without buckets is a pair; else the one text (`TextArea`), or the one choice
(`Choices`), is the right answer. JSON_MIN and CSV exports do not say which annotation is which, and are refused.
"""

import re
from typing import Any

from preceptor.preferences.interchange._asked import only_prompt
from preceptor.preferences.interchange._case import Case, is_empty
from preceptor.preferences.interchange._row import Row

Result = dict[str, Any]


def rows(case: Case) -> list[Row]:
    """A row for each annotation of this task."""
    data, annotations = case.cells.get("data"), case.cells.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        case.refuse("data", "`data` and `annotations` were expected", "Export from Label Studio as JSON, not JSON_MIN")
        return []
    if not is_empty(case.cells.get("predictions")):
        case.lost.add("predictions")
    found = []
    for place, one in enumerate(annotations, 1):
        if not isinstance(one, dict) or not isinstance(one.get("result"), list):
            case.refuse(f"annotations, {place}", "an object with a list `result` was expected")
        elif one.get("was_cancelled"):
            case.lost.add("annotations that were skipped")
        elif not one["result"]:
            case.lost.add("annotations without an answer")
        else:
            found.append(_row(case, data, one, f"annotations, {place}"))
    if not annotations:
        case.lost.add("tasks without an annotation")
    return found


def _row(case: Case, data: dict[str, Any], annotation: dict[str, Any], where: str) -> Row:
    results = [one for one in annotation["result"] if isinstance(one, dict) and isinstance(one.get("value"), dict)]
    if len(results) < len(annotation["result"]):
        case.refuse(where, "a result is no object with `value`")
    judged = next((one for one in results if one.get("type") in ("pairwise", "ranker")), None)
    answer = judged or _only(case, results, where)
    target = chosen = rejected = None
    shown: tuple[str, ...] = ()
    hint = ""
    if judged and judged["type"] == "pairwise":
        shown, chosen, rejected = _pairwise(case, data, judged, where)
    elif judged:
        shown, chosen, rejected = _ranker(case, data, judged, where)
    elif answer:
        target, hint = _words(answer), str(answer.get("to_name", ""))
    name, prompt = only_prompt(case, {key: v for key, v in data.items() if key not in shown}, "data", hint)
    extra = {key: value for key, value in data.items() if key not in (name, *shown)}
    extra |= {str(one.get("from_name")): _simple(one) for one in results if one is not answer}
    rater = annotation.get("completed_by")
    cells = {**extra, "id": case.cells.get("id"), "rater": rater.get("id") if isinstance(rater, dict) else rater}
    own = Case(case.number, cells, wrong=case.wrong, lost=case.lost)
    return own.row(case.prompt(prompt, name or "data"), set(), target=target, chosen=chosen, rejected=rejected)


def _pairwise(
    case: Case, data: dict[str, Any], result: Result, where: str
) -> tuple[tuple[str, ...], str | None, str | None]:
    """The two fields compared, the better text and the worse one."""
    names = [name.strip() for name in str(result.get("to_name", "")).split(",")]
    if len(names) != 2 or any(name not in data for name in names):
        names = _siblings(data)
    side = result["value"].get("selected")
    if len(names) != 2 or side not in ("left", "right"):
        case.refuse(where, "it does not say which of two answers was chosen", "Name the texts compared as their fields")
        return (), None, None
    better, worse = names if side == "left" else reversed(names)
    return tuple(names), _answer(case, f"data.{better}", data[better]), _answer(case, f"data.{worse}", data[worse])


def _ranker(
    case: Case, data: dict[str, Any], result: Result, where: str
) -> tuple[tuple[str, ...], str | None, str | None]:
    """The field with the ranked items, the first item's text and the last one's."""
    order = result["value"].get("ranker")
    name = next((key for key, value in data.items() if isinstance(value, list) and _bodies(value)), "")
    bodies = _bodies(data[name]) if name else {}
    if not isinstance(order, list) or len(order) < 2 or any(str(one) not in bodies for one in order):
        case.refuse(where, "it does not rank the items of a list", "Rankers with buckets cannot be read")
        return (), None, None
    if len(order) > 2:
        case.lost.add("ranked answers between the best and the worst")
    best, worst = (_answer(case, f"data.{name}", bodies[str(one)]) for one in (order[0], order[-1]))
    return (name,), best, worst


def _bodies(items: list[Any]) -> dict[str, Any]:
    """Id -> text of the items of a Label Studio list."""
    return {str(one["id"]): one["body"] for one in items if isinstance(one, dict) and "id" in one and "body" in one}


def _siblings(data: dict[str, Any]) -> list[str]:
    """The two fields that are called alike but for a 1 and a 2 at the end; [] where there are none or several."""
    stems = [
        match.group(1) for name in data if (match := re.fullmatch(r"(.+)1", name)) and f"{match.group(1)}2" in data
    ]
    return [f"{stems[0]}1", f"{stems[0]}2"] if len(stems) == 1 else []


def _only(case: Case, results: list[Result], where: str) -> Result | None:
    """The one result in words, else the one choice."""
    for kind in ("textarea", "choices"):
        found = [one for one in results if one.get("type") == kind]
        if len(found) == 1 and _words(found[0]) is not None:
            return found[0]
        if found:
            case.refuse(where, f"there is not one {kind} with one answer", "Export a project with one of them")
            return None
    case.refuse(where, "there is no pairwise, ranker, textarea or choices result", "Export a project with one of them")
    return None


def _words(result: Result) -> str | None:
    """The text of a `TextArea` or the label of `Choices`; None where there is not just one."""
    value = result["value"].get("text" if result.get("type") == "textarea" else "choices")
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return value if isinstance(value, str) and value.strip() else None


def _simple(result: Result) -> Any:
    """What a result says: the one entry of its value that is named for its type, or all of it."""
    words = _words(result)
    return words if words is not None else result["value"].get(str(result.get("type")), result["value"])


def _answer(case: Case, where: str, text: Any) -> str | None:
    if isinstance(text, str) and text.strip():
        return text
    case.refuse(where, "an answer is empty or no text")
    return None
