"""Counts of fewer than five real cases cannot be read, nor worked out from what else is printed."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from html_page import Page
from preceptor.report import write_report
from preceptor.report._results import Paired
from preceptor.report._small_counts import HIDDEN, SMALL, shown_labels, shown_matrix, shown_pairs

COUNTS = st.integers(0, 12)
MATRICES = st.integers(2, 4).flatmap(
    lambda labels: st.lists(
        st.lists(COUNTS, min_size=labels + 1, max_size=labels + 1), min_size=labels, max_size=labels
    )
)


def fitting(shown: list[str], total: int) -> list[set[int]]:
    """For each entry of a line with a known sum, every count it may stand for."""
    ranges = [range(5) if text == SMALL else range(total + 1) if text == HIDDEN else [int(text)] for text in shown]
    found = []
    for place, own in enumerate(ranges):
        sums = {0}  # that the others may have
        for other in ranges[:place] + ranges[place + 1 :]:
            sums = {so_far + n for so_far in sums for n in other if so_far + n <= total}
        found.append({n for n in own if total - n in sums})
    return found


@given(MATRICES)
def test_no_small_count_of_a_matrix_is_printed_or_worked_out_from_its_row(matrix: list[list[int]]) -> None:
    for counts, shown in zip(matrix, shown_matrix(matrix), strict=True):
        for n, text in zip(counts, shown, strict=True):
            assert text in ((SMALL, HIDDEN) if n < 5 else (str(n), HIDDEN))
        possible = fitting(shown, sum(counts))
        assert all(n == 0 or n >= 5 or len(one) > 1 for n, one in zip(counts, possible, strict=True))


@given(MATRICES)
def test_the_number_of_right_and_of_unreadable_answers_gives_nothing_away(matrix: list[list[int]]) -> None:
    shown = shown_matrix(matrix)
    for line in ([(row, row) for row in range(len(matrix))], [(row, -1) for row in range(len(matrix))]):
        counts = [matrix[row][column] for row, column in line]
        possible = fitting([shown[row][column] for row, column in line], sum(counts))
        assert all(n == 0 or n >= 5 or len(one) > 1 for n, one in zip(counts, possible, strict=True))


@given(st.lists(COUNTS, min_size=4, max_size=4))
def test_a_paired_table_gives_no_small_count_away_to_one_who_knows_what_each_arm_got_right(counts: list[int]) -> None:
    names = ("both_right", "only_a", "only_b", "neither")
    shown = shown_pairs(Paired(**dict(zip(names, counts, strict=True))))
    both, only_a, only_b, neither = counts
    possible = [
        table
        for shift in range(-30, 31)
        if min(table := [both + shift, only_a - shift, only_b - shift, neither + shift]) >= 0
        and all(
            text in (HIDDEN, str(n)) or (text == SMALL and n < 5) for n, text in zip(table, shown.values(), strict=True)
        )
    ]
    if min(counts) < 5:
        assert not [text for text in shown.values() if text not in (SMALL, HIDDEN)]
        fixed = min(only_a, only_b) == 0 and min(both, neither) == 0  # what is known leaves no other table anyway
        assert len(possible) > 1 or fixed


@given(st.dictionaries(st.text(min_size=1), COUNTS, min_size=1, max_size=4))
def test_label_counts_give_no_small_count_away_to_one_who_knows_their_sum(counts: dict[str, int]) -> None:
    possible = fitting(list(shown_labels(counts).values()), sum(counts.values()))
    assert all(
        n == 0 or n >= 5 or len(one) > 1 or len(counts) == 1 for n, one in zip(counts.values(), possible, strict=True)
    )


def test_counts_of_real_cases_are_suppressed_and_opened_when_asked(real: Path) -> None:
    def spoil(results: dict) -> None:  # type: ignore[type-arg]
        results["cells"][0]["confusion"]["matrix"] = [[901, 3, 2], [904, 905, 1]]

    results = json.loads((real / "results.json").read_text())
    spoil(results)
    (real / "results.json").write_text(json.dumps(results))
    assert f"urgent 901 {SMALL} {SMALL}" in Page(write_report(real).read_text()).text
    assert "urgent 901 3 2" in Page(write_report(real, with_text=True).read_text()).text


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
