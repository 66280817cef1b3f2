"""TRL's columns: prompt and completion, messages, or prompt with chosen and rejected, as texts or lists of turns.

https://huggingface.co/docs/trl/dataset_formats. A file is of one type: a trainer refuses rows that have the columns of
two. `id`, `group`, `target` and any other columns stand beside them, where TRL leaves them alone.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from preceptor.preferences.interchange._case import Case, Turns, is_empty, turn
from preceptor.preferences.interchange._row import Row

COLUMNS = {"id", "group", "prompt", "completion", "messages", "chosen", "rejected", "target"}


def rows(case: Case) -> list[Row]:
    """The row of one case, whichever of the types it is."""
    if case.has("chosen") or case.has("rejected"):
        return [_pair(case)]
    if case.has("completion"):
        return [_completion(case)]
    if case.has("messages"):
        return [conversation(case)]
    fix = "Give each row `prompt` and `completion`, `messages`, or `prompt`, `chosen` and `rejected`"
    case.refuse("prompt", "there is no answer in this row", fix)
    return []


def write(rows: Sequence[Row], lost: Counter[str], pairs: bool) -> str:
    """A preference file (`pairs`), or one of prompts and completions."""
    names = {"chosen", "rejected"} if pairs else {"completion"}
    lines = []
    for row in rows:
        answers = {"chosen": row.chosen, "rejected": row.rejected} if pairs else {"completion": row.target}
        cells: dict[str, Any] = {"id": row.id, "group": row.group, "prompt": list(row.messages)}
        cells |= {name: [turn("assistant", text or "")] for name, text in answers.items()}
        cells |= {"target": row.target if pairs else None}
        for name, value in row.extra.items():
            if name in COLUMNS:
                lost[f"column `{name}`"] += 1
            else:
                cells[name] = value
        if not pairs:
            lost.update(name for name, text in (("chosen", row.chosen), ("rejected", row.rejected)) if text is not None)
        lines.append({name: value for name, value in cells.items() if name in names or not is_empty(value)})
    return "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)


def conversation(case: Case) -> Row:
    """`messages`, of which the last turn is the answer."""
    _say_unused(case, {"messages"})
    turns = case.turns("messages")
    prompt = case.prompt(turns[:-1], "messages")
    target = case.answer(turns, "messages", prompt)
    value = case.cells["messages"]
    if isinstance(value, list) and isinstance(value[-1], dict) and value[-1].get("weight") == 0:
        case.refuse("messages", "the last answer has weight 0: it is not to be learned", "Leave this row out")
    return case.row(prompt, COLUMNS, target=target)


def _completion(case: Case) -> Row:
    _say_unused(case, {"prompt", "completion"})
    prompt = case.prompt(case.turns("prompt"), "prompt")
    answer = case.answer(case.turns("completion", "assistant"), "completion", prompt)
    verdict = str(case.cells.get("label", "")).lower()
    if verdict not in ("true", "false"):
        return case.row(prompt, COLUMNS, target=answer)
    # Unpaired preference: each answer is marked good or bad by itself.
    own = COLUMNS | {"label"}
    return case.row(prompt, own, target=answer) if verdict == "true" else case.row(prompt, own, rejected=answer)


def _pair(case: Case) -> Row:
    better, worse = case.turns("chosen", "assistant"), case.turns("rejected", "assistant")
    prompt = case.turns("prompt") if case.has("prompt") else _shared(case, better, worse)
    prompt = case.prompt(prompt, "prompt")
    chosen, rejected = case.answer(better, "chosen", prompt), case.answer(worse, "rejected", prompt)
    right = "completion" if case.has("completion") else "target"
    target = case.answer(case.turns(right, "assistant"), right, prompt) if case.has(right) else None
    _say_unused(case, {"prompt", "chosen", "rejected", right})
    return case.row(prompt, COLUMNS, target=target, chosen=chosen, rejected=rejected)


def _shared(case: Case, chosen: Turns, rejected: Turns) -> Turns:
    """The prompt of a pair of whole conversations."""
    if chosen[:-1] != rejected[:-1] or len(chosen) < 2:
        fix = "Put the question into a column `prompt`"
        case.refuse("prompt", "there is none, and chosen and rejected do not begin with the same turns", fix)
    return chosen[:-1]


def _say_unused(case: Case, used: set[str]) -> None:
    case.lost |= {f"column `{name}`" for name in COLUMNS - used - {"id", "group"} if case.has(name)}
