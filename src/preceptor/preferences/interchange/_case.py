"""One case of a file while it is read: what is wrong with it, and what a row cannot hold, are gathered here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from preceptor.preferences.interchange._row import Row
from preceptor.tasks import Message

Turns = tuple[Message, ...]

_ROLES = ("system", "user", "assistant")
_MEND = "Correct this row"


@dataclass(slots=True)
class Case:
    """The cells of one case. `number` counts as the file's rows do; `wrong` is field, what, fix."""

    number: int
    cells: Mapping[str, Any] = field(repr=False)
    only_texts: bool = False
    """Whether the file has texts only (CSV, XLSX), so that turns stand there as JSON."""
    wrong: list[tuple[str, str, str]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def refuse(self, name: str, what: str, fix: str = _MEND) -> None:
        """Note that the field `name` makes the case unusable. `what` says nothing of its text."""
        self.wrong.append((name, what, fix))

    def has(self, name: str) -> bool:
        """Whether the field holds anything."""
        return not is_empty(self.cells.get(name))

    def text(self, name: str) -> str | None:
        """The field's text as it is; None where it is empty or no text."""
        value = self.cells.get(name)
        if is_empty(value):
            return None
        if not isinstance(value, str):
            self.refuse(name, "a text was expected here")
            return None
        return value

    def name(self, field_name: str, default: str = "") -> str:
        """An id or a patient: text, or a whole number."""
        value = self.cells.get(field_name)
        if is_empty(value):
            return default
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.refuse(field_name, "a text or a whole number was expected here")
            return default
        return str(value)

    def turns(self, name: str, role: str = "user") -> Turns:
        """The field's chat turns, () where it is empty; a plain text is one turn of `role`."""
        value = self.cells.get(name)
        if is_empty(value):
            return ()
        if isinstance(value, str):
            written = turns_in(value) if self.only_texts else None
            if written is None:
                return (turn(role, value),)
            value = written
        return self.turns_of(value, name)

    def turns_of(self, value: Any, name: str, keys: tuple[str, str] = ("role", "content")) -> Turns:
        """A list of turns found in the field `name`; `keys` are what role and text are called there."""
        if not isinstance(value, list):
            self.refuse(name, "neither a text nor a list of turns")
            return ()
        found = [self._turn(one, f"{name}, turn {place}", keys) for place, one in enumerate(value, 1)]
        return tuple(one for one in found if one is not None)

    def _turn(self, value: Any, where: str, keys: tuple[str, str]) -> Message | None:
        role_key, text_key = keys
        if not isinstance(value, dict):
            self.refuse(where, f"an object with `{role_key}` and `{text_key}` was expected")
            return None
        role, text = _OTHER_NAMES.get(str(value.get(role_key)), value.get(role_key)), _plain(value.get(text_key))
        if role not in _ROLES:
            self.refuse(where, f"`{role_key}` is none of {', '.join(_ROLES)}", "Leave out rows with tool calls")
        if text is None:
            self.refuse(where, f"`{text_key}` holds no text", "Leave out rows with tool calls or images")
        self.lost |= {f"`{key}` of a turn" for key in value.keys() - set(keys) if not is_empty(value[key])}
        return turn(role, text) if role in _ROLES and text is not None else None

    def prompt(self, turns: Turns, name: str) -> Turns:
        """The turns before the answer, which need a question."""
        if not self._refused(name) and not any(one["role"] == "user" and one["content"].strip() for one in turns):
            self.refuse(name, "there is no user turn with text before the answer")
        return turns

    def answer(self, turns: Turns, name: str, prompt: Turns) -> str | None:
        """The last turn's text. What stands before it may only be the prompt over again."""
        if self._refused(name):
            return None
        if not turns or not turns[-1]["content"].strip():
            self.refuse(name, "the answer is empty", "Fill it, or leave the row out")
        elif turns[-1]["role"] != "assistant":
            self.refuse(name, "this does not end with an assistant turn")
        elif turns[:-1] and turns[:-1] != prompt and not self.wrong:
            self.refuse(name, "the turns before the answer are not those of the prompt")
        else:
            return turns[-1]["content"]
        return None

    def _refused(self, name: str) -> bool:
        return any(where == name or where.startswith(f"{name}, ") for where, _, _ in self.wrong)

    def row(self, messages: Turns, own: set[str], **answers: str | None) -> Row:
        """The row of this case; `own` are the fields that the format gives a meaning, all others are `extra`."""
        own = own | {"id", "group"}
        return Row(
            self.name("id", default=str(self.number)),
            self.name("group"),
            messages,
            extra={name: value for name, value in self.cells.items() if name not in own and not is_empty(value)},
            **answers,
        )


_OTHER_NAMES = {"human": "user", "gpt": "assistant"}


def is_empty(value: Any) -> bool:
    """Whether a field holds nothing."""
    return value is None or value == "" or value == []


def turn(role: str, text: str) -> Message:
    """One chat turn."""
    return cast(Message, {"role": role, "content": text})


def turns_in(text: str) -> list[Any] | None:
    """The list of turns that a text is the JSON of; None for any other text."""
    if not text.startswith("[") or '"role"' not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _plain(content: Any) -> str | None:
    """A turn's text; also where it is a list of one text part, as chat interfaces write it."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0].get("text") if content[0].get("type") == "text" else None
    return content if isinstance(content, str) else None
