"""From a request to the token ids of its prompt, the same as for a held-out case of the study."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

from preceptor.data import TooLong, fit
from preceptor.errors import InputError
from preceptor.models import encode
from preceptor.ship.serving._chat_request import ChatRequest
from preceptor.ship.serving._refused import RefusedError
from preceptor.tasks import Example, Message, Task
from preceptor.text_pieces import without_separator


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids up to the generation prompt, after truncation by `truncated_tokens` tokens.

    of_task: whether it is the task's own prompt, filled in, so that the answer is what the study measured.
    """

    ids: list[int] = field(repr=False)
    truncated_tokens: int = 0
    of_task: bool = True


@dataclass(frozen=True, slots=True)
class Reader:
    """Encodes the prompts of one task.

    max_length: the study's limit of prompt and answer, in tokens. empty: the study's text for an empty field.
    by_head: whether a head answers, which is asked nothing but the task's own prompt.
    The tokenizer must not be shared with another thread.
    """

    task: Task
    tokenizer: Any = field(repr=False)
    max_length: int
    empty: str | None = None
    by_head: bool = False

    def read(self, request: ChatRequest) -> Prompt:
        """The prompt of a request. Raises `RefusedError` when it is too long, or its fields are not the task's."""
        if request.fields is not None:
            return self._from_fields({name: without_separator(text) for name, text in request.fields.items()})
        turns = [turn.message for turn in request.messages]
        return self._from_messages([{**turn, "content": without_separator(turn["content"])} for turn in turns])

    def _from_messages(self, messages: list[Message]) -> Prompt:
        try:
            ids = encode(self.tokenizer, cast("list[dict[str, str]]", messages), None).prompt
        except InputError as error:
            raise _invalid("messages", "; ".join(f"{one.what}. {one.fix}" for one in error.problems)) from None
        if len(ids) + self.task.answer.max_new_tokens > self.max_length:
            raise self._too_long("messages", len(ids) + self.task.answer.max_new_tokens)
        of_task = is_of_task(self.task, messages)
        if self.by_head and not of_task:
            what = "a head answers here, which writes nothing and was measured on the task's own prompt alone"
            raise _invalid("messages", f"{what}; send its instruction and its prompt filled in, or `fields`")
        return Prompt(ids, of_task=of_task)

    def _from_fields(self, fields: dict[str, str]) -> Prompt:
        case = Example("request", "request", self._checked_fields(fields), "")
        max_new_tokens = self.task.answer.max_new_tokens
        try:
            fitted = fit(self.task, case, self.tokenizer, self.max_length, max_new_tokens=max_new_tokens)
        except TooLong as error:
            raise self._too_long("fields", error.tokens) from None
        return Prompt(fitted.encoded.prompt, fitted.truncated_tokens)

    def _checked_fields(self, fields: dict[str, str]) -> dict[str, str]:
        known = self.task.shown_fields
        if not known:
            raise _invalid("fields", f"task {self.task.name} has no fields: its cases are chat turns; send `messages`")
        unknown = [name for name in fields if name not in known]
        blank = [name for name in known if not fields.get(name, "").strip()]
        if unknown or (blank and self.empty is None):
            problems = [f"unknown: {', '.join(name[:40] for name in unknown[:10])}"] if unknown else []
            problems += [f"missing or empty: {', '.join(blank)}"] if blank and self.empty is None else []
            raise _invalid("fields", f"{'; '.join(problems)}. The task's fields are {', '.join(known)}, each a text")
        return fields | {name: str(self.empty) for name in blank}

    def _too_long(self, param: str, tokens: int) -> RefusedError:
        max_new_tokens = self.task.answer.max_new_tokens
        message = (
            f"prompt and answer need {tokens} tokens, {max_new_tokens} of them for the answer, and the study went up "
            f"to {self.max_length}. Shorten the text"
        )
        return _invalid(param, message, code="context_length_exceeded")


def is_of_task(task: Task, messages: Sequence[Message]) -> bool:
    """Whether the turns are the task's: its instruction, and its template with the fields filled in.

    A task without fields has cases that are chat turns, so that any may be one.
    """
    if not task.fields:
        return True
    instruction = [("system", task.instruction)] if task.instruction else []
    turns = [(turn["role"], turn["content"]) for turn in messages]
    if len(turns) != len(instruction) + 1 or turns[:-1] != instruction or turns[-1][0] != "user":
        return False
    return _fills(task, turns[-1][1])


def _fills(task: Task, text: str) -> bool:
    """Whether the text is the task's template with something in the place of each field."""
    names = "|".join(map(re.escape, task.fields))
    first, *others = re.split(rf"\{{(?:{names})\}}", task.prompt)
    if not others:
        return text == first
    at = len(first)
    for part in others[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.startswith(first) and text.endswith(others[-1]) and at + len(others[-1]) <= len(text)


def _invalid(param: str, message: str, *, code: str = "invalid_value") -> RefusedError:
    return RefusedError(HTTPStatus.BAD_REQUEST, f"`{param}`: {message}", param=param, code=code)
