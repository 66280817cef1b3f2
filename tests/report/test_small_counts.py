"""Counts of fewer than five real cases cannot be read, nor worked out from what else is printed."""

import itertools
import json
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from html_page import Page
from preceptor.report import write_report
from preceptor.report._page import render
from preceptor.report._run import parse_run
from preceptor.report._small_counts import HIDDEN, SMALL, shown_labels, shown_matrix, shown_pairs
from preceptor.study.results.cell_schema import Confusion
from preceptor.study.results.contrast_schema import Paired

COUNTS = st.integers(0, 8)
MATRICES = st.lists(st.lists(COUNTS, min_size=3, max_size=3), min_size=2, max_size=2)
PAIRED = ("both_right", "only_a", "only_b", "neither")


def lines_that_fit(shown: list[str], total: int) -> list[tuple[int, ...]]:
    """Every line of counts that may stand behind what is shown, with this sum."""
    ranges = [range(5) if text == SMALL else range(total + 1) if text == HIDDEN else [int(text)] for text in shown]
    return [line for line in itertools.product(*ranges) if sum(line) == total]


def assert_nothing_is_given_away(counts: list[int], shown: list[str], possible: list[tuple[int, ...]]) -> None:
    """No small count is printed, and none is the same in everything that is possible, unless all is hidden."""
    for place, (n, text) in enumerate(zip(counts, shown, strict=True)):
        assert text in ((SMALL, HIDDEN) if n < 5 else (str(n), HIDDEN))
        if 0 < n < 5 and set(shown) != {HIDDEN}:
            assert len({one[place] for one in possible}) > 1


@settings(deadline=None)
@given(MATRICES)
@example([[0, 8, 1], [2, 5, 5]])
@example([[5, 0, 1], [0, 1, 5]])
def test_a_matrix_gives_no_small_count_away_to_one_who_knows_all_sums(matrix: list[list[int]]) -> None:
    shown = shown_matrix(Confusion(labels=["yes", "no"], matrix=matrix))
    rows = [lines_that_fit(texts, sum(counts)) for texts, counts in zip(shown, matrix, strict=True)]
    right, unreadable = matrix[0][0] + matrix[1][1], matrix[0][2] + matrix[1][2]
    possible = [
        (*first, *second)
        for first, second in itertools.product(*rows)
        if first[0] + second[1] == right and first[2] + second[2] == unreadable
    ]
    assert_nothing_is_given_away([*itertools.chain(*matrix)], [*itertools.chain(*shown)], possible)


@given(st.lists(st.integers(0, 12), min_size=4, max_size=4))
def test_a_paired_table_gives_no_small_count_away_to_one_who_knows_what_each_arm_got_right(counts: list[int]) -> None:
    shown = list(shown_pairs(Paired(**dict(zip(PAIRED, counts, strict=True)))).values())
    shifted = [tuple(n + sign * by for n, sign in zip(counts, (1, -1, -1, 1), strict=True)) for by in range(-24, 25)]
    possible = [
        table
        for table in shifted
        if min(table) >= 0
        and all(text in (HIDDEN, str(n)) or (text == SMALL and n < 5) for n, text in zip(table, shown, strict=True))
    ]
    assert_nothing_is_given_away(counts, shown, possible)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=4))
def test_label_counts_give_no_small_count_away_to_one_who_knows_their_sum(counts: list[int]) -> None:
    shown = list(shown_labels({str(place): n for place, n in enumerate(counts)}).values())
    assert_nothing_is_given_away(counts, shown, lines_that_fit(shown, sum(counts)))


def test_no_more_is_hidden_than_it_takes() -> None:
    matrix = [[30, 2, 1, 0], [3, 40, 2, 0], [1, 2, 50, 0]]
    shown = shown_matrix(Confusion(labels=["a", "b", "c"], matrix=matrix))
    assert [row[place] for place, row in enumerate(shown)] == ["30", "40", "50"]
    assert not [text for row in shown for text in row if text == HIDDEN]
    assert shown_labels({"a": 2, "b": 8, "c": 40}) == {"a": SMALL, "b": HIDDEN, "c": "40"}


def test_counts_of_real_cases_are_suppressed_and_opened_when_asked(real: Path) -> None:
    def spoil(results: dict) -> None:  # type: ignore[type-arg]
        results["cells"][0]["confusion"]["matrix"] = [[901, 3, 2], [4, 905, 1]]

    results = json.loads((real / "results.json").read_text())
    spoil(results)
    (real / "results.json").write_text(json.dumps(results))
    run = parse_run(real)  # so many cases there never were
    assert f"urgent 901 {SMALL} {SMALL}" in Page(render(run)).text
    assert "urgent 901 3 2" in Page(render(run, with_text=True)).text


def test_the_shade_of_a_suppressed_count_says_nothing(real: Path) -> None:
    page = write_report(real).read_text()
    cells = page.split('<table class="matrix">')[1:]
    assert cells
    for table in cells:
        for entry in table.split("</table>")[0].split("<td class=")[1:]:
            if "&lt;5" in entry or HIDDEN in entry:
                assert entry.startswith(('"s0"', '"s0 hit"'))


def test_counts_of_synthetic_cases_are_shown(synthetic: Path) -> None:
    page = Page(write_report(synthetic).read_text())
    assert SMALL not in page.text.replace("p &lt;", "")
    matrix = json.loads((synthetic / "results.json").read_text())["cells"][2]["confusion"]["matrix"]
    assert f"1 {' '.join(map(str, matrix[0]))} 2 {' '.join(map(str, matrix[1]))}" in page.text
