"""lm-evaluation-harness: `samples_<task>_<date>.jsonl`, written with `--log_samples`. Read as version 0.4.13 writes it.

A line is one case (`doc_id`) under one filter. `filtered_resps` holds an entry for each request: the text of a
generated answer; of a multiple choice a log-likelihood and whether it is greedy, both as text, for each choice.
"""

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from preceptor.comparison.logs._fields import own_fields
from preceptor.data import Row, Table, read_table, table_of
from preceptor.errors import InputError, Problem

_FIELDS = {"doc_id", "target", "filtered_resps", "metrics"}


def knows(path: Path) -> bool:
    """Whether the first line has the fields of such a file."""
    if path.suffix.lower() != ".jsonl":
        return False
    with path.open("rb") as file, suppress(ValueError, RecursionError):
        first = json.loads(file.readline())
        return isinstance(first, dict) and first.keys() >= _FIELDS
    return False


def read(path: Path) -> Table:
    """A row a case. With several filters each answer and metric is named as in the tool's results: `acc,none`."""
    lines = read_table(path)
    several = len(lines.distinct("filter")) > 1
    try:
        return table_of(path, _by_case(lines, several), unit="row")
    except TypeError:
        what = "its lines are not as lm-evaluation-harness 0.4.13 writes them"
        raise InputError(Problem(str(path), what, "Give it as a table: JSON lines with `id` and `score`")) from None


def _by_case(lines: Table, several: bool) -> list[Row]:
    """The lines of one case under all filters, put together."""
    rows: dict[tuple[Any, int], Row] = {}
    seen: Counter[tuple[Any, Any]] = Counter()
    for line in lines.rows:
        case, chosen = line.cells.get("doc_id"), line.cells.get("filter")
        row = rows.setdefault((case, seen[case, chosen]), Row(line.number, _of_case(line.cells)))
        row.cells.update(_of_filter(line.cells, f",{chosen}" if several else ""))
        seen[case, chosen] += 1  # a case that stands twice under one filter stays twice, and is told
    return list(rows.values())


def _of_case(cells: dict[str, Any]) -> dict[str, Any]:
    """The id and the right answer, and the fields of the case itself under their own names."""
    fields = cells.get("doc")
    return own_fields(fields if isinstance(fields, dict) else {}) | {"id": cells.get("doc_id"), "gold": _gold(cells)}


def _of_filter(cells: dict[str, Any], suffix: str) -> dict[str, Any]:
    """What was answered and its scores under one filter; a metric that is no number of one case is left out."""
    scores = {name: cells[name] for name in _listed(cells, "metrics") if isinstance(cells.get(name), str)}
    found = {f"{name}{suffix}": score for name, score in scores.items()} | {f"answer{suffix}": _answer(cells)}
    return found | ({"score": next(iter(scores.values()))} if len(scores) == 1 and not suffix else {})


def _answer(cells: dict[str, Any]) -> str:
    """The generated text; of a multiple choice the likeliest one, by its text or its number as `gold` has it."""
    answers = _listed(cells, "filtered_resps")
    if choices := _choices(cells):
        likeliest = max(range(len(choices)), key=lambda number: float(answers[number][0]))
        return choices[likeliest]
    only = answers[0] if len(answers) == 1 else ""
    return only if isinstance(only, str) else ""


def _gold(cells: dict[str, Any]) -> str:
    """The target; none where a choice is asked for and several are right."""
    target, choices = str(cells.get("target", "")).strip(), _choices(cells)
    return target if not choices or target in choices else ""


def _choices(cells: dict[str, Any]) -> list[str]:
    """What a multiple choice calls its choices: their texts where the target is one of them, else 0, 1, 2, ...; [] of
    any other output.
    """
    answers = _listed(cells, "filtered_resps")
    if len(answers) < 2 or not all(map(_is_likelihood, answers)):
        return []
    count = (
        len(answers) // 2 if "acc_mutual_info" in _listed(cells, "metrics") else len(answers)
    )  # the rest: unprompted
    asked = cells.get("arguments")
    texts = [_text_of(asked, number) for number in range(count)]
    named = len(set(texts)) == count and str(cells.get("target", "")).strip() in texts
    return texts if named else [str(number) for number in range(count)]


def _text_of(asked: Any, number: int) -> str:
    """The text of one choice, which is the second argument of its request."""
    request = asked.get(f"gen_args_{number}") if isinstance(asked, dict) else None
    text = request.get("arg_1") if isinstance(request, dict) else None
    return text.strip() if isinstance(text, str) else ""


def _is_likelihood(answer: Any) -> bool:
    """`["-3.25", "False"]`."""
    if not isinstance(answer, list) or len(answer) != 2 or answer[1] not in ("True", "False"):
        return False
    with suppress(TypeError, ValueError):
        float(answer[0])
        return True
    return False


def _listed(cells: dict[str, Any], name: str) -> list[Any]:
    found = cells.get(name)
    return found if isinstance(found, list) else []
