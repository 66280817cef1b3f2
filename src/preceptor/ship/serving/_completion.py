"""Answers in the shapes of OpenAI's API: whole, or chunk by chunk; and their text, token by token."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers.decoders import DecodeStream

from preceptor.ship.serving._desk import Reason, Token
from preceptor.ship.serving._reader import Prompt
from preceptor.tasks import Task

DONE = b"data: [DONE]\n\n"


class Growing:
    """The text of an answer while it grows. What is given out, put together, is the text of the whole answer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self.ids: list[int] = []
        self._given = ""

    def more(self, token: int) -> str:
        """What a further token adds; "" while a sign is not yet whole."""
        self.ids.append(token)
        piece = self._stream.step(self._tokenizer.backend_tokenizer, token) or ""
        self._given += piece
        return piece

    def rest(self) -> str:
        """What was kept back at the end: half a sign, which no token completed."""
        return self.text.removeprefix(self._given)

    @property
    def text(self) -> str:
        """The whole answer so far, as the study reads it."""
        text: str = self._tokenizer.decode(self.ids, skip_special_tokens=True)
        return text


@dataclass(frozen=True, slots=True)
class Reply:
    """What all parts of one reply have in common. `logprobs`: whether tokens' log-probabilities were asked for."""

    model: str
    task: Task
    tokenizer: Any = field(repr=False)
    prompt: Prompt
    logprobs: bool
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, tokens: Sequence[Token], text: str, reason: Reason) -> dict[str, Any]:
        """A `chat.completion`."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "logprobs": self._logprobs(tokens),
            "finish_reason": reason,
        }
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": self._usage(len(tokens)),
            "preceptor": self._read(text),
        }

    def first(self) -> bytes:
        """The chunk that says who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def next(self, tokens: Sequence[Token], piece: str) -> bytes:
        """A chunk with what was written since the last."""
        return self._chunk({"content": piece}, logprobs=self._logprobs(tokens))

    def last(self, text: str, reason: Reason) -> bytes:
        """The chunk that says why nothing follows, and how the whole answer is read."""
        return self._chunk({}, reason=reason, preceptor=self._read(text))

    def usage(self, answer_tokens: int) -> bytes:
        """The chunk with the counts, for who asked for it."""
        return event({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage(answer_tokens)})

    def _chunk(
        self,
        delta: dict[str, str],
        *,
        reason: Reason | None = None,
        logprobs: dict[str, Any] | None = None,
        **more: Any,
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return event({**self._head("chat.completion.chunk"), "choices": [choice], **more})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _read(self, text: str) -> dict[str, Any]:
        """What OpenAI's API has no place for: the label (or text) the study reads off, and how much was cut."""
        return {"answer": self.task.parse(text), "cut_tokens": self.prompt.cut_tokens}

    def _usage(self, answer_tokens: int) -> dict[str, int]:
        asked = len(self.prompt.ids)
        return {
            "prompt_tokens": asked,
            "completion_tokens": answer_tokens,
            "total_tokens": asked + answer_tokens,
        }

    def _logprobs(self, tokens: Sequence[Token]) -> dict[str, Any] | None:
        return {"content": [self._logprob(token) for token in tokens], "refusal": None} if self.logprobs else None

    def _logprob(self, token: Token) -> dict[str, Any]:
        text: str = self.tokenizer.decode([token.id])
        whole = "\N{REPLACEMENT CHARACTER}" not in text  # else it is a part of a sign, whose bytes are not known here
        return {
            "token": text,
            "logprob": token.logprob,
            "bytes": list(text.encode()) if whole else None,
            "top_logprobs": [],
        }


def event(body: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return f"data: {json.dumps(body, ensure_ascii=False, allow_nan=False)}\n\n".encode()
