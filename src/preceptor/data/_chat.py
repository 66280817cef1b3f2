"""Chat datasets in the usual columns: `messages`, `prompt` and `completion`, `prompt` with `chosen` and `rejected`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from preceptor.tasks import Message
from preceptor.text_pieces import without_separator

# Of the forms whose columns all exist, a row has the first that it fills; where it fills none, the first.
CHAT_COLUMNS = (
    ("prompt", "chosen", "rejected"),
    ("chosen", "rejected"),
    ("messages",),
    ("prompt", "completion"),
)
_ROLES = ("system", "user", "assistant")


class ChatError(ValueError):
    """What is wrong with the messages of one row; quotes no text."""


@dataclass(frozen=True, slots=True)
class Chat:
    """The messages of the prompt, the right answer, and the rejected one of a preference pair."""

    prompt: tuple[Message, ...] = field(repr=False)
    target: str = field(repr=False)
    rejected: str | None = field(repr=False)


def read_chat(cells: Mapping[str, Any], form: Sequence[str]) -> Chat:
    """One row in one of the CHAT_COLUMNS forms (cells under the usual names). Raises ChatError."""
    if "messages" in form:
        return _from_messages(_messages(cells["messages"], "messages"))
    if "chosen" in form:
        return _from_pair(cells)
    prompt = _prompt(_messages(cells["prompt"], "prompt"))
    return Chat(prompt, _answer(cells["completion"], "completion", prompt), None)


def _from_messages(messages: tuple[Message, ...]) -> Chat:
    """The last assistant message is the answer; later messages are dropped."""
    indices = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if not indices:
        raise ChatError("`messages` holds no assistant turn, so no answer")
    return Chat(_prompt(messages[: indices[-1]]), messages[indices[-1]]["content"].strip(), None)


def _from_pair(cells: Mapping[str, Any]) -> Chat:
    """Chosen and rejected as texts, as one message, or as whole conversations that repeat the prompt."""
    if "prompt" in cells:
        prompt = _prompt(_messages(cells["prompt"], "prompt"))
    else:
        prompt = _prompt(_messages(cells["chosen"], "chosen", role="assistant")[:-1])
    chosen, rejected = (_answer(cells[name], name, prompt) for name in ("chosen", "rejected"))
    if not rejected:
        raise ChatError("`rejected` is empty")
    if chosen == rejected:
        raise ChatError("`chosen` and `rejected` are the same")
    return Chat(prompt, chosen, rejected)


def _answer(cell: Any, name: str, prompt: tuple[Message, ...]) -> str:
    messages = _messages(cell, name, role="assistant")
    if not messages:
        return ""
    if messages[-1]["role"] != "assistant":
        raise ChatError(f"`{name}` does not end with an assistant turn")
    if messages[:-1] and messages[:-1] != prompt:
        raise ChatError(f"the turns before the answer in `{name}` are not those of the prompt")
    return messages[-1]["content"].strip()


def _prompt(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if not any(message["role"] == "user" and message["content"].strip() for message in messages):
        raise ChatError("there is no user turn with text before the answer")
    return messages


def _messages(cell: Any, name: str, role: str = "user") -> tuple[Message, ...]:
    """A text is one message of `role`; a list, or its JSON in text-only formats, is a list of messages."""
    if isinstance(cell, str):
        parsed = _json_list(cell)
        if parsed is None:
            return (cast(Message, {"role": role, "content": without_separator(cell)}),) if cell.strip() else ()
        cell = parsed
    if not isinstance(cell, list):
        raise ChatError(f"`{name}` holds neither a text nor a list of turns")
    for index, message in enumerate(cell, 1):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise ChatError(f"turn {index} of `{name}` has no `content` text")
        if message.get("role") not in _ROLES:
            raise ChatError(f"turn {index} of `{name}` has a role that is none of {', '.join(_ROLES)}")
    return tuple(
        cast(Message, {"role": message["role"], "content": without_separator(message["content"])}) for message in cell
    )


def _json_list(text: str) -> list[Any] | None:
    """The messages that `text` encodes as JSON; None for any other text."""
    if not text.lstrip().startswith("[") or '"role"' not in text:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None
