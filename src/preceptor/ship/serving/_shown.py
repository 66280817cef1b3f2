"""From an answer's tokens to its text: all of it, as the task reads it, and what a client is shown of it."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers.decoders import DecodeStream

from preceptor.ship.serving._queue import Label, Reason, Token
from preceptor.ship.serving._stop_strings import StopCut


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
class Part:
    """What is shown next: text, and those tokens whose text has been shown with it to its end."""

    tokens: list[Token]
    text: str = field(repr=False)

    @staticmethod
    def joined(parts: Sequence["Part"]) -> "Part":
        """Parts that follow each other as one."""
        return Part([token for part in parts for token in part.tokens], "".join(part.text for part in parts))


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended. text: all of it, also behind a stop string; tokens: of all of it; scores: see `Job`."""

    text: str = field(repr=False)
    tokens: int
    reason: Reason
    scores: Mapping[str, float] | None = field(repr=False)


class ShownAnswer:
    """Shows an answer up to the first of its stop strings. It is written, and read by its task, to its end."""

    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self._decoder, self._cut = StreamingDecoder(tokenizer), StopCut(stop)
        self._unread: list[Token] = []  # those since the last that completed a character
        self._waiting: deque[tuple[int, Token]] = deque()  # where the text of each ends
        self._decoded = self._shown = 0  # characters
        self._reason: Reason = "stop"
        self._label: str | None = None

    def add(self, token: Token | Label) -> Part:
        """What a token, or a head's label, lets through."""
        if isinstance(token, Label):
            self._label = token.text
            return self._show(self._cut.add(token.text))
        self._unread.append(token)
        piece = self._decoder.add(token.id)
        if piece:
            self._place(piece)
        return self._show(self._cut.add(piece))

    def end(self, reason: Reason) -> Part:
        """What was held back and is shown, since the answer has ended for this reason."""
        self._reason = reason
        piece = self._decoder.flush()
        self._place(piece)
        return self._show(self._cut.add(piece) + self._cut.flush())

    def ending(self, scores: Mapping[str, float] | None) -> Ending:
        """How it ended; to be asked after `end`."""
        text = self._decoder.text if self._label is None else self._label
        return Ending(text, len(self._decoder.ids), "stop" if self._cut.found else self._reason, scores)

    def _place(self, piece: str) -> None:
        self._decoded += len(piece)
        self._waiting.extend((self._decoded, token) for token in self._unread)
        self._unread.clear()

    def _show(self, text: str) -> Part:
        self._shown += len(text)
        tokens = []
        while self._waiting and self._waiting[0][0] <= self._shown:
            tokens.append(self._waiting.popleft()[1])
        return Part(tokens, text)
