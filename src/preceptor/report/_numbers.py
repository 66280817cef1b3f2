"""Numbers as the page prints them. A dash stands where there is no number."""

from datetime import datetime

from preceptor.evidence import number, p_text

NONE = "\N{EN DASH}"


def value(x: float | None) -> str:
    """Two decimals."""
    return NONE if x is None else number(x)


def gain(x: float | None) -> str:
    """Two decimals with a sign."""
    return NONE if x is None else number(x, signed=True)


def three_digits(x: float | None, *, signed: bool = False) -> str:
    """Three significant digits, of a number of any size."""
    return NONE if x is None else f"{x:{'+' if signed else ''}.3g}".replace("-", "\N{MINUS SIGN}")


def three_digit_interval(ci: tuple[float | None, float | None] | None) -> str:
    """`[14.2, 15.8]`, or nothing."""
    low, high = ci or (None, None)
    return "" if low is None or high is None else f"[{three_digits(low)}, {three_digits(high)}]"


def interval(ci: tuple[float | None, float | None] | None) -> str:
    """`[0.20, 0.41]`, or nothing."""
    low, high = ci or (None, None)
    return "" if low is None or high is None else f"[{number(low)}, {number(high)}]"


def percent(x: float | None) -> str:
    """A share of 1 as a percentage with one decimal."""
    return NONE if x is None else f"{100 * x:.1f}%"


def whole_percent(x: float) -> str:
    """A share of 1 as a whole percentage."""
    return f"{100 * x:.0f}%"


def score(x: float, labels: object) -> str:
    """How one answer did: right or wrong for labels, else its score."""
    if labels:
        return "right" if x == 1 else "wrong"
    return f"score {number(x)}"


def p_value(p: float | None) -> str:
    """`< .001` or `.032`, for a column headed p."""
    return NONE if p is None else p_text(p).removeprefix("p ").removeprefix("= ")


def count(x: float | None) -> str:
    """A whole number with thin spaces between thousands; other numbers as short as they go."""
    if x is None:
        return NONE
    return f"{int(x):,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if float(x).is_integer() else f"{x:.3g}"


def compact(x: float | None, unit: str = "") -> str:
    """Three significant digits with an SI prefix: `1.24 M`, with a unit `1.24 MB`."""
    if x is None:
        return NONE
    for size, prefix in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= size:
            return f"{_short(x / size)} {prefix}{unit}"
    return f"{_short(x)} {unit}".strip()


def duration(seconds: float | None) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds is None:
        return NONE
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.{int(seconds < 10 * size)}f} {unit}"
    return f"{seconds:.{int(0 < seconds < 10)}f} s"


def moment(iso: str) -> str:
    """`2 March 2026, 14:05 UTC` from ISO 8601; the zone is named as it was written. Anything else stays as it is."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M %Z}".strip()


def _short(x: float) -> str:
    digits = 0 if abs(x) >= 100 else 1 if abs(x) >= 10 else 2
    text = f"{x:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
