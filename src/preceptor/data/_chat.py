"""Finished chat turns in the usual columns: messages, prompt and completion, prompt with chosen and rejected."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from preceptor.tasks import Message

# The first whose columns are all there is taken.
CHAT_COLUMNS = (
    ("prompt", "chosen", "rejected"),
    ("chosen", "rejected"),
    ("messages",),
    ("prompt", "completion"),
)
_ROLES = ("system", "user", "assistant")


class ChatError(ValueError):
    """What is wrong with the turns of one row; says nothing of their text."""


@dataclass(frozen=True, slots=True)
class Chat:
    """The turns before the answer, the right answer, and the rejected one where there is a pair."""

    prompt: tuple[Message, ...] = field(repr=False)
    target: str = field(repr=False)
    rejected: str | None = field(repr=False)


def read_chat(cells: Mapping[str, Any], form: Sequence[str]) -> Chat:
    """One row in one of the CHAT_COLUMNS forms (cells under the usual names). Raises ChatError."""
    if "messages" in form:
        return _from_messages(_turns(cells["messages"], "messages"))
    if "chosen" in form:
        return _from_pair(cells)
    prompt = _prompt(_turns(cells["prompt"], "prompt"))
    return Chat(prompt, _answer(cells["completion"], "completion", prompt), None)


def _from_messages(turns: tuple[Message, ...]) -> Chat:
    """The last assistant turn is the answer; what follows it is not used."""
    places = [place for place, turn in enumerate(turns) if turn["role"] == "assistant"]
    if not places:
        raise ChatError("`messages` holds no assistant turn, so no answer")
    return Chat(_prompt(turns[: places[-1]]), turns[places[-1]]["content"].strip(), None)


def _from_pair(cells: Mapping[str, Any]) -> Chat:
    """Chosen and rejected as texts, as one turn, or as whole conversations that repeat the prompt."""
    if "prompt" in cells:
        prompt = _prompt(_turns(cells["prompt"], "prompt"))
    else:
        prompt = _prompt(_turns(cells["chosen"], "chosen", role="assistant")[:-1])
    chosen, rejected = (_answer(cells[name], name, prompt) for name in ("chosen", "rejected"))
    if not rejected:
        raise ChatError("`rejected` is empty")
    if chosen == rejected:
        raise ChatError("`chosen` and `rejected` are the same")
    return Chat(prompt, chosen, rejected)


def _answer(cell: Any, name: str, prompt: tuple[Message, ...]) -> str:
    turns = _turns(cell, name, role="assistant")
    if not turns:
        return ""
    if turns[-1]["role"] != "assistant":
        raise ChatError(f"`{name}` does not end with an assistant turn")
    if turns[:-1] and turns[:-1] != prompt:
        raise ChatError(f"the turns before the answer in `{name}` are not those of the prompt")
    return turns[-1]["content"].strip()


def _prompt(turns: tuple[Message, ...]) -> tuple[Message, ...]:
    if not any(turn["role"] == "user" and turn["content"].strip() for turn in turns):
        raise ChatError("there is no user turn with text before the answer")
    return turns


def _turns(cell: Any, name: str, role: str = "user") -> tuple[Message, ...]:
    """A text is one turn of `role`; a list (or its JSON, in files that hold only text) is turns as they are."""
    if isinstance(cell, str):
        written = _json_list(cell)
        if written is None:
            return (cast(Message, {"role": role, "content": cell}),) if cell.strip() else ()
        cell = written
    if not isinstance(cell, list):
        raise ChatError(f"`{name}` holds neither a text nor a list of turns")
    for place, turn in enumerate(cell, 1):
        if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
            raise ChatError(f"turn {place} of `{name}` has no `content` text")
        if turn.get("role") not in _ROLES:
            raise ChatError(f"turn {place} of `{name}` has a role that is none of {', '.join(_ROLES)}")
    return tuple(cast(Message, {"role": turn["role"], "content": turn["content"]}) for turn in cell)


def _json_list(text: str) -> list[Any] | None:
    """The turns that a text is the JSON of; None for any other text."""
    if not text.lstrip().startswith("[") or '"role"' not in text:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None
