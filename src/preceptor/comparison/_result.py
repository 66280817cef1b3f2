"""What two files of predictions show, as numbers, in words, and as a small table."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from preceptor.errors import printable
from preceptor.evidence import Estimate, Verdict, metric_title, number

Interval = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class PredictionsCompared:
    """a against b on the same cases; `delta` is a minus b, and fields are called as in `results.json`.

    `a` and `b`: the metric with its 95% interval, one for each file. `ci` and `ci_90`: the 95% and 90% interval of
    `delta`, made by `interval`; `p` is two-sided, by `test`. `n` counts cases, `patients` those they come from,
    `differing` the patients on whom the metric tells a and b apart. `descriptive`: why nothing may be concluded, None
    where something may. `less_than_matters`, `below_margin`: as in `evidence.Judgement`.
    """

    metric: str
    margin: float | None
    names: tuple[str, str]
    a: tuple[Estimate, ...]
    b: tuple[Estimate, ...]
    delta: float
    ci: Interval
    ci_90: Interval
    p: float
    test: str
    interval: str
    n: int
    patients: int
    differing: int
    verdict: Verdict
    less_than_matters: bool
    below_margin: bool
    descriptive: str | None
    sentence: str

    def __str__(self) -> str:
        rows = [("", metric_title(self.metric), "95% interval", "invalid"), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
            )
            for row in rows
        ]
        return "\n".join([*lines, "", printable(self.sentence), self._how()])

    def _repr_html_(self) -> str:
        """The table and the sentence, for a notebook."""
        head = "".join(f"<th>{one}</th>" for one in ("", escape(metric_title(self.metric)), "95% interval", "invalid"))
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self._rows())
        said = f"<p><b>{escape(self.sentence)}</b></p><p>{escape(self._how())}</p>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{said}"

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Name, value, interval and the share of answers that are no label, of each file."""
        for name, estimates in zip(self.names, (self.a, self.b), strict=True):
            for seed, one in enumerate(estimates, 1):
                called = f"{name}, seed {seed}" if len(estimates) > 1 else name
                value = "" if one.value is None else number(one.value)
                bounds = "" if one.low is None or one.high is None else f"[{number(one.low)}, {number(one.high)}]"
                yield printable(called), value, bounds, f"{one.invalid_rate:.0%}"

    def _how(self) -> str:
        return f"95% interval: {self.interval}. Test: {self.test}, two-sided."
