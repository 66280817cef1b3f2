"""One record of a file while it is parsed: collects its problems and the fields that a row cannot hold."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from preceptor.preferences.interchange._row import Row
from preceptor.tasks import Message

Messages = tuple[Message, ...]

_ROLES = ("system", "user", "assistant")
_FIX = "Correct this row"


@dataclass(slots=True)
class Record:
    """The cells of one record. number: its row in the file; problems: (field, what, fix); lost: unconverted fields."""

    number: int
    cells: Mapping[str, Any] = field(repr=False)
    only_texts: bool = False
    """Whether the format is text-only (CSV, XLSX), with messages as JSON."""
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def reject(self, name: str, what: str, fix: str = _FIX) -> None:
        """Record a problem of the field `name` that makes the record invalid. `what` must not quote its text."""
        self.problems.append((name, what, fix))

    def has(self, name: str) -> bool:
        """Whether the field is not empty."""
        return not is_empty(self.cells.get(name))

    def text(self, name: str) -> str | None:
        """The field's text; None if it is empty or not a text."""
        value = self.cells.get(name)
        if is_empty(value):
            return None
        if not isinstance(value, str):
            self.reject(name, "a text was expected here")
            return None
        return value

    def name(self, field_name: str, default: str = "") -> str:
        """An id or a patient: text, or an integer."""
        value = self.cells.get(field_name)
        if is_empty(value):
            return default
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.reject(field_name, "a text or a whole number was expected here")
            return default
        return str(value)

    def messages(self, name: str, role: str = "user") -> Messages:
        """The field's chat messages, () if it is empty; a plain text is one message of `role`."""
        value = self.cells.get(name)
        if is_empty(value):
            return ()
        if isinstance(value, str):
            written = parse_messages(value) if self.only_texts else None
            if written is None:
                return (message(role, value),)
            value = written
        return self.messages_from(value, name)

    def messages_from(self, value: Any, name: str, keys: tuple[str, str] = ("role", "content")) -> Messages:
        """The messages in a list from the field `name`; `keys` are its keys for role and content."""
        if not isinstance(value, list):
            self.reject(name, "neither a text nor a list of turns")
            return ()
        found = [self._message(one, f"{name}, turn {index}", keys) for index, one in enumerate(value, 1)]
        return tuple(one for one in found if one is not None)

    def _message(self, value: Any, where: str, keys: tuple[str, str]) -> Message | None:
        role_key, text_key = keys
        if not isinstance(value, dict):
            self.reject(where, f"an object with `{role_key}` and `{text_key}` was expected")
            return None
        role, text = _ROLE_ALIASES.get(str(value.get(role_key)), value.get(role_key)), _text_of(value.get(text_key))
        if role not in _ROLES:
            self.reject(where, f"`{role_key}` is none of {', '.join(_ROLES)}", "Leave out rows with tool calls")
        if text is None:
            self.reject(where, f"`{text_key}` holds no text", "Leave out rows with tool calls or images")
        self.lost |= {f"`{key}` of a turn" for key in value.keys() - set(keys) if not is_empty(value[key])}
        return message(role, text) if role in _ROLES and text is not None else None

    def only_prompt(self, fields: Mapping[str, Any], where: str, hint: str = "") -> tuple[str, Messages]:
        """Name and messages of the prompt among user-defined fields: `prompt`, `hint`, or the only one with text."""
        texts = [name for name, value in fields.items() if isinstance(value, str | list) and value]
        known = [name for name in ("prompt", hint) if name in texts] or texts
        if len(known) != 1 and known[:1] not in (["prompt"], [hint]):
            what = f"{'several' if known else 'no'} fields could be the prompt"
            self.reject(where, what, "Call the one that asks the question `prompt`")
            return "", ()
        return known[0], replace(self, cells=fields, only_texts=False).messages(known[0])

    def prompt(self, messages: Messages, name: str) -> Messages:
        """The prompt's messages; rejects prompts without a user message."""
        if not self._invalid(name) and not any(one["role"] == "user" and one["content"].strip() for one in messages):
            self.reject(name, "there is no user turn with text before the answer")
        return messages

    def answer(self, messages: Messages, name: str, prompt: Messages) -> str | None:
        """The last message's text. Earlier messages, if any, must equal the prompt."""
        if self._invalid(name):
            return None
        if not messages or not messages[-1]["content"].strip():
            self.reject(name, "the answer is empty", "Fill it, or leave the row out")
        elif messages[-1]["role"] != "assistant":
            self.reject(name, "this does not end with an assistant turn")
        elif messages[:-1] and messages[:-1] != prompt and not self.problems:
            self.reject(name, "the turns before the answer are not those of the prompt")
        else:
            return messages[-1]["content"]
        return None

    def _invalid(self, name: str) -> bool:
        return any(where == name or where.startswith(f"{name}, ") for where, _, _ in self.problems)

    def row(self, messages: Messages, used: set[str], **answers: str | None) -> Row:
        """The row of this record; `used` are the fields that the format defines, all others go to `extra`."""
        used = used | {"id", "group"}
        return Row(
            self.name("id", default=str(self.number)),
            self.name("group"),
            messages,
            extra={name: value for name, value in self.cells.items() if name not in used and not is_empty(value)},
            **answers,
        )


_ROLE_ALIASES = {"human": "user", "gpt": "assistant", "developer": "system"}


def is_empty(value: Any) -> bool:
    """Whether a field's value is empty."""
    return value is None or value == "" or value == []


def message(role: str, text: str) -> Message:
    """One chat message."""
    return cast(Message, {"role": role, "content": text})


def parse_messages(text: str) -> list[Any] | None:
    """The list of messages that `text` encodes as JSON; None for any other text."""
    if not text.startswith("[") or '"role"' not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _text_of(content: Any) -> str | None:
    """A message's text, also from a content list with one text part."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0].get("text") if content[0].get("type") == "text" else None
    return content if isinstance(content, str) else None
