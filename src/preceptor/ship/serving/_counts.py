"""Serving metrics in Prometheus' text format: throughput and latency counters, no content of requests or answers."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Totals since the server started. `request_seconds` is latency: from arrival to the end of the answer."""

    requests: Counter[int] = field(default_factory=Counter)
    """HTTP status -> chat requests; 499 when the client disconnected first."""
    request_seconds: float = 0.0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    batches: int = 0
    batch_seconds: float = 0.0

    def text(self, waiting: int, answering: int, capacity: int) -> str:
        """The exposition, version 0.0.4 of the format. The gauge of `capacity` is named `places`."""
        statuses = [(f'{{status="{status}"}}', count) for status, count in sorted(self.requests.items())]
        lines = [
            *_lines("requests_total", "counter", "Chat requests by the status they ended with.", *statuses),
            *_lines("request_seconds_total", "counter", "Seconds that chat requests took.", ("", self.request_seconds)),
            *_lines("prompt_tokens_total", "counter", "Prompt tokens of answered requests.", ("", self.prompt_tokens)),
            *_lines("answer_tokens_total", "counter", "Tokens of answers.", ("", self.answer_tokens)),
            *_lines("batches_total", "counter", "Batches of requests that were answered together.", ("", self.batches)),
            *_lines("batch_seconds_total", "counter", "Seconds in which the model worked.", ("", self.batch_seconds)),
            *_lines("waiting", "gauge", "Requests that wait now.", ("", waiting)),
            *_lines("answering", "gauge", "Requests that are being answered now.", ("", answering)),
            *_lines("places", "gauge", "Requests that may wait; more are refused with 429.", ("", capacity)),
        ]
        return "\n".join(lines) + "\n"


def _lines(name: str, kind: str, text: str, *values: tuple[str, float]) -> list[str]:
    name = f"preceptor_{name}"
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *(f"{name}{labels} {value}" for labels, value in values)]
