import pytest

from preceptor.report import _numbers as numbers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, numbers.NONE),
        (0, "0 s"),
        (4.26, "4.3 s"),
        (71.4, "71 s"),
        (95, "1.6 min"),
        (1500, "25 min"),
        (9000, "2.5 h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [(None, numbers.NONE), (0, "0"), (999, "999"), (1240, "1.24 k"), (2.1e14, "210 T"), (4.4e18, "4.4 E")],
)
def test_compact(x: float | None, text: str) -> None:
    assert numbers.compact(x) == text


@pytest.mark.parametrize(("p", "text"), [(0.0001, "< .001"), (0.0321, ".032"), (0.5, ".500"), (1.0, "> .999")])
def test_p_value(p: float, text: str) -> None:
    assert numbers.p_value(p) == text


def test_shares_counts_and_intervals() -> None:
    assert numbers.percent(0.235) == "23.5%"
    assert numbers.count(12345) == "12\N{NARROW NO-BREAK SPACE}345"
    assert numbers.interval((-0.126, 0.5)) == "[\N{MINUS SIGN}0.13, 0.50]"
    assert numbers.interval((None, None)) == ""
    assert numbers.gain(0.126) == "+0.13"


def test_moment_is_written_for_people() -> None:
    assert numbers.moment("2026-03-02T14:05:11+00:00") == "2 March 2026, 14:05 UTC"
    assert numbers.moment("2026-03-02T14:05:11") == "2 March 2026, 14:05"
