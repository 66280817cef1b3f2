"""Responses in the formats of OpenAI's API, complete or streamed in chunks."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from preceptor.ship.serving._prompt_reader import Prompt
from preceptor.ship.serving._queue import Reason, Token
from preceptor.ship.serving._shown import Ending, Part
from preceptor.tasks import Task

DONE = b"data: [DONE]\n\n"


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

    def complete(self, shown: Part, ending: Ending) -> dict[str, Any]:
        """A `chat.completion`; `shown` is all that is shown."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": shown.text},
            "logprobs": self._logprobs(shown.tokens),
            "finish_reason": ending.reason,
        }
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": self._usage(ending.tokens),
            "preceptor": self._extension(ending),
        }

    def first(self) -> bytes:
        """The first chunk: the role."""
        return self._chunk({"role": "assistant", "content": ""})

    def next(self, part: Part) -> bytes:
        """A chunk with what is shown since the last one; b"" when that is nothing."""
        if not part.text and not (self.logprobs and part.tokens):
            return b""
        return self._chunk({"content": part.text}, logprobs=self._logprobs(part.tokens))

    def last(self, ending: Ending) -> bytes:
        """The last chunk: `finish_reason` and the parsed answer."""
        return self._chunk({}, reason=ending.reason, preceptor=self._extension(ending))

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

    def _extension(self, ending: Ending) -> dict[str, Any]:
        """Our extension of the API: the parsed answer, how many tokens of the prompt were truncated, and how probable
        each label is, where labels were scored.
        """
        told = {"answer": self.task.parse(ending.text), "cut_tokens": self.prompt.truncated_tokens}
        return told if ending.scores is None else {**told, "scores": dict(ending.scores)}

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
        top = [self._one_logprob(id, logprob) for id, logprob in token.top]
        return {**self._one_logprob(token.id, token.logprob), "top_logprobs": top}

    def _one_logprob(self, token: int, logprob: float | None) -> dict[str, Any]:
        text: str = self.tokenizer.decode([token])
        complete = "\N{REPLACEMENT CHARACTER}" not in text  # else a part of a character
        return {"token": text, "logprob": logprob, "bytes": list(text.encode()) if complete else None}


def sse(body: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return f"data: {json.dumps(body, ensure_ascii=False, allow_nan=False)}\n\n".encode()
