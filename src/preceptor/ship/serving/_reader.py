"""From a request to the token ids of its prompt, as the study put its cases."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

from preceptor.data import TooLong, fit
from preceptor.errors import InputError
from preceptor.models import encode
from preceptor.ship.serving._refused import RefusedError
from preceptor.ship.serving._request import ChatRequest
from preceptor.tasks import Example, Message, Task


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids up to where the assistant begins to speak; `cut_tokens` of the task's `cut` field were taken out."""

    ids: list[int] = field(repr=False)
    cut_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads requests of one task.

    max_length: tokens of prompt and answer, as in the study. empty: what the study wrote where a field was empty.
    The tokenizer must be its own: it cannot be used from two threads at a time.
    """

    task: Task
    tokenizer: Any = field(repr=False)
    max_length: int
    empty: str | None = None

    def read(self, request: ChatRequest) -> Prompt:
        """The prompt of a request. Raises `RefusedError` when it does not fit, or its fields are not the task's."""
        if request.fields is not None:
            return self._filled(request.fields)
        return self._turns([turn.message for turn in request.messages])

    def _turns(self, turns: list[Message]) -> Prompt:
        try:
            ids = encode(self.tokenizer, cast("list[dict[str, str]]", turns), None).prompt
        except InputError as error:
            raise _wrong("messages", "; ".join(f"{one.what}. {one.fix}" for one in error.problems)) from None
        if len(ids) + self.task.answer.max_new_tokens > self.max_length:
            raise self._too_long("messages", len(ids) + self.task.answer.max_new_tokens)
        return Prompt(ids)

    def _filled(self, fields: dict[str, str]) -> Prompt:
        case = Example("request", "request", self._checked(fields), "")
        room = self.task.answer.max_new_tokens
        try:
            fitted = fit(self.task, case, self.tokenizer, self.max_length, max_new_tokens=room)
        except TooLong as error:
            raise self._too_long("fields", error.tokens) from None
        return Prompt(fitted.encoded.prompt, fitted.cut_tokens)

    def _checked(self, fields: dict[str, str]) -> dict[str, str]:
        known = list(self.task.fields)
        if not known:
            raise _wrong("fields", f"task {self.task.name} has no fields: its cases are chat turns; send `messages`")
        unknown = [name for name in fields if name not in known]
        blank = [name for name in known if not fields.get(name, "").strip()]
        if unknown or (blank and self.empty is None):
            said = [f"unknown: {', '.join(name[:40] for name in unknown[:10])}"] if unknown else []
            said += [f"missing or empty: {', '.join(blank)}"] if blank and self.empty is None else []
            raise _wrong("fields", f"{'; '.join(said)}. The task's fields are {', '.join(known)}, each a text")
        return fields | {name: str(self.empty) for name in blank}

    def _too_long(self, param: str, tokens: int) -> RefusedError:
        room = self.task.answer.max_new_tokens
        message = (
            f"prompt and answer need {tokens} tokens, {room} of them for the answer, and the study went up to "
            f"{self.max_length}. Shorten the text"
        )
        return _wrong(param, message, code="context_length_exceeded")


def _wrong(param: str, message: str, *, code: str = "invalid_value") -> RefusedError:
    return RefusedError(HTTPStatus.BAD_REQUEST, f"`{param}`: {message}", param=param, code=code)
