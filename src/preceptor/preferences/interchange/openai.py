"""OpenAI's fine-tuning files: `messages` to learn from, or `input` with a preferred and a non-preferred output.

https://platform.openai.com/docs/guides/supervised-fine-tuning and .../direct-preference-optimization. They hold no ids,
no patients and no columns of one's own. Such a file is made to be uploaded, so writing one has to be allowed.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from preceptor.preferences.interchange import trl
from preceptor.preferences.interchange._case import Case, is_empty, turn
from preceptor.preferences.interchange._row import Row

_TOOLS = ("tools", "parallel_tool_calls")
_PAIR = {"input", "preferred_output", "non_preferred_output"}


def rows(case: Case) -> list[Row]:
    """The row of one line."""
    if case.has("messages"):
        return [trl.conversation(case)]
    if case.has("input"):
        return _pair(case)
    case.refuse(
        "messages", "neither `messages` nor `input` is there", "Give a file for supervised or preference tuning"
    )
    return []


def write(rows: Sequence[Row], lost: Counter[str], pairs: bool) -> str:
    """A preference file (`pairs`), or one for supervised fine-tuning."""
    lines = []
    for row in rows:
        tools = {name: row.extra[name] for name in _TOOLS if name in row.extra}
        if pairs:
            outputs = {"preferred_output": row.chosen, "non_preferred_output": row.rejected}
            line: dict[str, Any] = {"input": {"messages": list(row.messages), **tools}}
            line |= {name: [turn("assistant", text or "")] for name, text in outputs.items()}
        else:
            line = {"messages": [*row.messages, turn("assistant", row.target or "")], **tools}
        lines.append(line)
        lost.update(_not_held(row, pairs))
    return "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)


def _not_held(row: Row, pairs: bool) -> list[str]:
    answers = {"target": row.target} if pairs else {"chosen": row.chosen, "rejected": row.rejected}
    named = {"id": row.id, "group": row.group or None, **answers}
    columns = [f"column `{name}`" for name in row.extra if name not in _TOOLS]
    return [name for name, value in named.items() if value is not None] + columns


def _pair(case: Case) -> list[Row]:
    asked = case.cells["input"]
    if not isinstance(asked, dict) or is_empty(asked.get("messages")):
        case.refuse("input", "an object with `messages` was expected")
        return []
    prompt = case.prompt(case.turns_of(asked["messages"], "input.messages"), "input.messages")
    chosen, rejected = (
        case.answer(case.turns(name, "assistant"), name, prompt)
        for name in ("preferred_output", "non_preferred_output")
    )
    case.lost |= {f"`input.{name}`" for name in asked.keys() - {"messages", *_TOOLS} if not is_empty(asked[name])}
    row = case.row(prompt, _PAIR, chosen=chosen, rejected=rejected)
    tools = {name: asked[name] for name in _TOOLS if not is_empty(asked.get(name))}
    return [Row(row.id, row.group, row.messages, None, chosen, rejected, {**row.extra, **tools})]
