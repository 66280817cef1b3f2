"""Cutting a text at stop strings while it comes in pieces."""

from collections.abc import Sequence


class StopCut:
    """Lets through what stands before a text's first stop string: where two overlap, before the one that begins first.

    However the text is divided into pieces, the same is let through. What may turn out to be the beginning of a stop
    string is held back until that is known.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.found = False
        """Whether the text had a stop string."""

    def add(self, piece: str) -> str:
        """What may be shown once the text has gone on with `piece`."""
        if self.found:
            return ""
        text = self._held + piece
        at = next((at for at in range(len(text)) if self._may_begin(text, at)), len(text))
        self.found = text.startswith(self._stop, at)
        self._held = text[at:]
        return text[:at]

    def flush(self) -> str:
        """What was held back and may be shown after all, since the text has ended."""
        if self.found:
            return ""
        places = [at for stop in self._stop if (at := self._held.find(stop)) >= 0]
        self.found = bool(places)
        return self._held[: min(places, default=len(self._held))]

    def _may_begin(self, text: str, at: int) -> bool:
        """Whether a stop string begins there, or all of the text from there on is the beginning of one."""
        return text.startswith(self._stop, at) or any(stop.startswith(text[at:]) for stop in self._stop)
