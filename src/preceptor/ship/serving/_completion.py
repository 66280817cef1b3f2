"""Responses in the formats of OpenAI's API, complete or streamed in chunks, and incremental decoding of their text."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers.decoders import DecodeStream

from preceptor.ship.serving._prompt_reader import Prompt
from preceptor.ship.serving._queue import Reason, Token
from preceptor.tasks import Task

DONE = b"data: [DONE]\n\n"


class StreamingDecoder:
    """Incremental decoding of an answer. The pieces, joined, equal the decoded whole."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self.ids: list[int] = []
        self._emitted = ""

    def add(self, token: int) -> str:
        """The text that a token adds; "" while a character is incomplete."""
        self.ids.append(token)
        piece = self._stream.step(self._tokenizer.backend_tokenizer, token) or ""
        self._emitted += piece
        return piece

    def flush(self) -> str:
        """The text held back at the end: an incomplete character."""
        return self.text.removeprefix(self._emitted)

    @property
    def text(self) -> str:
        """The answer so far, decoded as the study decodes it."""
        text: str = self._tokenizer.decode(self.ids, skip_special_tokens=True)
        return text


@dataclass(frozen=True, slots=True)
class Completion:
    """What all chunks of one response share. `logprobs`: whether log-probabilities were requested."""

    model: str
    task: Task
    tokenizer: Any = field(repr=False)
    prompt: Prompt
    logprobs: bool
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def complete(
        self, tokens: Sequence[Token], text: str, reason: Reason, scores: Mapping[str, float] | None = None
    ) -> dict[str, Any]:
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
            "preceptor": self._extension(text, scores),
        }

    def first(self) -> bytes:
        """The first chunk: the role."""
        return self._chunk({"role": "assistant", "content": ""})

    def next(self, tokens: Sequence[Token], piece: str) -> bytes:
        """A chunk with the text since the last one."""
        return self._chunk({"content": piece}, logprobs=self._logprobs(tokens))

    def last(self, text: str, reason: Reason, scores: Mapping[str, float] | None = None) -> bytes:
        """The last chunk: `finish_reason` and the parsed answer."""
        return self._chunk({}, reason=reason, preceptor=self._extension(text, scores))

    def usage(self, answer_tokens: int) -> bytes:
        """The token counts, for `include_usage`."""
        return sse({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage(answer_tokens)})

    def _chunk(
        self,
        delta: dict[str, str],
        *,
        reason: Reason | None = None,
        logprobs: dict[str, Any] | None = None,
        **extra: Any,
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return sse({**self._head("chat.completion.chunk"), "choices": [choice], **extra})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _extension(self, text: str, scores: Mapping[str, float] | None) -> dict[str, Any]:
        """Our extension of the API: the parsed answer, how many tokens of the prompt were truncated, and how probable
        each label is, where labels were scored.
        """
        told = {"answer": self.task.parse(text), "cut_tokens": self.prompt.truncated_tokens}
        return told if scores is None else {**told, "scores": dict(scores)}

    def _usage(self, answer_tokens: int) -> dict[str, int]:
        prompt_tokens = len(self.prompt.ids)
        return {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": answer_tokens,
            "total_tokens": prompt_tokens + answer_tokens,
        }

    def _logprobs(self, tokens: Sequence[Token]) -> dict[str, Any] | None:
        return {"content": [self._logprob(token) for token in tokens], "refusal": None} if self.logprobs else None

    def _logprob(self, token: Token) -> dict[str, Any]:
        text: str = self.tokenizer.decode([token.id])
        complete = "\N{REPLACEMENT CHARACTER}" not in text  # else a part of a character
        return {
            "token": text,
            "logprob": token.logprob,
            "bytes": list(text.encode()) if complete else None,
            "top_logprobs": [],
        }


def sse(body: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return f"data: {json.dumps(body, ensure_ascii=False, allow_nan=False)}\n\n".encode()
