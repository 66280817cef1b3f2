"""OpenAI's fine-tuning formats: `messages` for SFT, or `input` with preferred and non-preferred output for DPO.

https://platform.openai.com/docs/guides/supervised-fine-tuning and .../direct-preference-optimization. They have no
ids, patients or custom columns. Such files are meant for upload, so writing one must be allowed explicitly.
"""

import json
from collections.abc import Sequence
from typing import Any

from preceptor.preferences.interchange import trl
from preceptor.preferences.interchange._record import Record, is_empty, message
from preceptor.preferences.interchange._row import Lost, Row

_TOOLS = ("tools", "parallel_tool_calls")
_PAIR = {"input", "preferred_output", "non_preferred_output"}


def rows(record: Record) -> list[Row]:
    """The row of one line."""
    if record.has("messages"):
        return [trl.conversation(record)]
    if record.has("input"):
        return _pair(record)
    fix = "Give a file for supervised or preference tuning"
    record.reject("messages", "neither `messages` nor `input` is there", fix)
    return []


def write(rows: Sequence[Row], lost: Lost, pairs: bool) -> str:
    """A preference file (`pairs`) or an SFT file."""
    lines = []
    for row in rows:
        tools = {name: row.extra[name] for name in _TOOLS if name in row.extra}
        if pairs:
            outputs = {"preferred_output": row.chosen, "non_preferred_output": row.rejected}
            line: dict[str, Any] = {"input": {"messages": list(row.messages), **tools}}
            line |= {name: [message("assistant", text or "")] for name, text in outputs.items()}
        else:
            line = {"messages": [*row.messages, message("assistant", row.target or "")], **tools}
        lines.append(line)
        lost.update(_lost_fields(row, pairs))
    return "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)


def _lost_fields(row: Row, pairs: bool) -> list[str]:
    answers = {"target": row.target} if pairs else {"chosen": row.chosen, "rejected": row.rejected}
    named = {"id": row.id, "group": row.group or None, **answers}
    columns = [f"column `{name}`" for name in row.extra if name not in _TOOLS]
    return [name for name, value in named.items() if value is not None] + columns


def _pair(record: Record) -> list[Row]:
    value = record.cells["input"]
    if not isinstance(value, dict) or is_empty(value.get("messages")):
        record.reject("input", "an object with `messages` was expected")
        return []
    prompt = record.prompt(record.messages_from(value["messages"], "input.messages"), "input.messages")
    chosen, rejected = (
        record.answer(record.messages(name, "assistant"), name, prompt)
        for name in ("preferred_output", "non_preferred_output")
    )
    record.lost |= {f"`input.{name}`" for name in value.keys() - {"messages", *_TOOLS} if not is_empty(value[name])}
    row = record.row(prompt, _PAIR, chosen=chosen, rejected=rejected)
    tools = {name: value[name] for name in _TOOLS if not is_empty(value.get(name))}
    return [Row(row.id, row.group, row.messages, None, chosen, rejected, {**row.extra, **tools})]
