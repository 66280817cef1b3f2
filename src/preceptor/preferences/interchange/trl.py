"""TRL's formats: prompt-completion, messages, or prompt with chosen and rejected, as texts or lists of messages.

https://huggingface.co/docs/trl/dataset_formats. A file has one type: trainers reject rows with the columns of two.
TRL ignores `id`, `group`, `target` and other extra columns.
"""

import json
from collections.abc import Sequence
from typing import Any

from preceptor.preferences.interchange._record import Messages, Record, is_empty, message
from preceptor.preferences.interchange._row import Lost, Row

COLUMNS = {"id", "group", "prompt", "completion", "messages", "chosen", "rejected", "target"}


def rows(record: Record) -> list[Row]:
    """The row of one record of any of the types."""
    if record.has("chosen") or record.has("rejected"):
        return [_pair(record)]
    if record.has("completion"):
        return [_completion(record)]
    if record.has("messages"):
        return [conversation(record)]
    fix = "Give each row `prompt` and `completion`, `messages`, or `prompt`, `chosen` and `rejected`"
    record.reject("prompt", "there is no answer in this row", fix)
    return []


def write(rows: Sequence[Row], lost: Lost, pairs: bool) -> str:
    """A preference file (`pairs`) or a prompt-completion file."""
    names = {"chosen", "rejected"} if pairs else {"completion"}
    lines = []
    for row in rows:
        answers = {"chosen": row.chosen, "rejected": row.rejected} if pairs else {"completion": row.target}
        cells: dict[str, Any] = {"id": row.id, "group": row.group, "prompt": list(row.messages)}
        cells |= {name: [message("assistant", text or "")] for name, text in answers.items()}
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


def conversation(record: Record) -> Row:
    """`messages`, whose last one is the answer."""
    _note_unused(record, {"messages"})
    messages = record.messages("messages")
    prompt = record.prompt(messages[:-1], "messages")
    target = record.answer(messages, "messages", prompt)
    value = record.cells["messages"]
    if isinstance(value, list) and isinstance(value[-1], dict) and value[-1].get("weight") == 0:
        record.reject("messages", "the last answer has weight 0: it is not to be learned", "Leave this row out")
    return record.row(prompt, COLUMNS, target=target)


def _completion(record: Record) -> Row:
    _note_unused(record, {"prompt", "completion"})
    prompt = record.prompt(record.messages("prompt"), "prompt")
    answer = record.answer(record.messages("completion", "assistant"), "completion", prompt)
    verdict = str(record.cells.get("label", "")).lower()
    if verdict not in ("true", "false"):
        return record.row(prompt, COLUMNS, target=answer)
    # Unpaired preference: each answer has a label of its own.
    used = COLUMNS | {"label"}
    return record.row(prompt, used, target=answer) if verdict == "true" else record.row(prompt, used, rejected=answer)


def _pair(record: Record) -> Row:
    better, worse = record.messages("chosen", "assistant"), record.messages("rejected", "assistant")
    prompt = record.messages("prompt") if record.has("prompt") else _shared(record, better, worse)
    prompt = record.prompt(prompt, "prompt")
    chosen, rejected = record.answer(better, "chosen", prompt), record.answer(worse, "rejected", prompt)
    right = "completion" if record.has("completion") else "target"
    target = record.answer(record.messages(right, "assistant"), right, prompt) if record.has(right) else None
    _note_unused(record, {"prompt", "chosen", "rejected", right})
    return record.row(prompt, COLUMNS, target=target, chosen=chosen, rejected=rejected)


def _shared(record: Record, chosen: Messages, rejected: Messages) -> Messages:
    """The implicit prompt of a pair of whole conversations."""
    if chosen[:-1] != rejected[:-1] or len(chosen) < 2:
        fix = "Put the question into a column `prompt`"
        record.reject("prompt", "there is none, and chosen and rejected do not begin with the same turns", fix)
    return chosen[:-1]


def _note_unused(record: Record, used: set[str]) -> None:
    record.lost |= {f"column `{name}`" for name in COLUMNS - used - {"id", "group"} if record.has(name)}
