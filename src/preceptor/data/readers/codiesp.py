"""Spanish case reports with ICD-10 codes, beside their machine translation to English (CodiEsp, Miranda-Escalada et al.
2020).

Give `cases.csv`, a row per report: `id`, `article`, `part`, `text_es`, `text_en`; `trainD.tsv`, the codes of diagnoses,
lies beside it as it was published. An id is its article's with a number behind it: `article` is the group, for reports
of one article tell of one patient or alike ones, and articles stand in several parts of the set. Reports without a code
stand under `unlabelled_es` and `unlabelled_en`: texts to learn from without labels, which no case of a task is of.

A chapter is a code's first letter, a category its first three characters. `common_chapters` holds those of the chapters
below alone, so that a task can ask for few; they are the commonest of `trainD.tsv`, fixed here for both languages. The
translation says he and she of one patient, so nothing of sex is read from it.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from preceptor.errors import InputError, Problem

COMMON_CHAPTERS = ("B", "C", "D", "E", "H", "I", "K", "L", "M", "N", "R", "Z")
_NONE = "none"
_CODE = re.compile(r"[A-Z]\d[\dA-Z](\.[\dA-Z]{1,4})?")
_COLUMNS = ("id", "article", "part", "text_es", "text_en")


def read(path: Path) -> list[dict[str, str]]:
    """One row per report: `id`, `article`, `part`, its text in both languages under `text_*` or `unlabelled_*`, and
    `chapters`, `common_chapters` and `categories`, each sorted and with `; ` between; empty where it has no code.

    Raises InputError for codes that are missing, and for rows that cannot be read.
    """
    codes: dict[str, list[str]] = {}
    for case, code in _codes(path.with_name("trainD.tsv")):
        codes.setdefault(case, []).append(code)
    return [_row(report, codes.get(report["id"], ())) for report in _reports(path)]


def _reports(path: Path) -> list[dict[str, str]]:
    problems, reports = [], []
    fix = "Give the columns id, article, part, text_es and text_en, and ids and articles as they were published"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        try:
            for number, row in enumerate(rows, 1):
                if None in row or None in row.values():
                    problems.append(
                        Problem(f"{path}, report {number}", "it has more or fewer cells than the header", fix)
                    )
                elif row["id"].rpartition("-")[0] != row["article"]:
                    what = "its id is not its article with a number behind it"
                    problems.append(Problem(f"{path}, report {number}", what, fix))
                reports.append({name: row[name] for name in _COLUMNS})
        except csv.Error:
            what = "it cannot be read as CSV: a quote without its other, or a cell without an end"
            problems.append(Problem(f"{path}, after line {rows.line_num}", what, fix))
    if problems:
        raise InputError(problems)
    return reports


def _codes(path: Path) -> Iterator[tuple[str, str]]:
    """Each case with a code, in capital letters."""
    if not path.is_file():
        fix = "Put the set's trainD.tsv beside cases.csv, which is the `path`"
        raise InputError(Problem(str(path), "no such file", fix))
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        case, _, code = line.strip().partition("\t")
        if not _CODE.fullmatch(code.upper()):
            what = "no ICD-10 code behind an id and a tab"
            raise InputError(Problem(f"{path}, line {number}", what, "Give the table as it was published"))
        yield case, code.upper()


def _row(report: dict[str, str], codes: Sequence[str]) -> dict[str, str]:
    has, other = ("text", "unlabelled") if codes else ("unlabelled", "text")
    texts = {f"{has}_{language}": report[f"text_{language}"] for language in ("es", "en")}
    chapters, categories = ({code[:length] for code in codes} for length in (1, 3))
    return {
        **{name: report[name] for name in ("id", "article", "part")},
        **texts,
        **{f"{other}_{language}": "" for language in ("es", "en")},
        "chapters": _listed(chapters),
        "common_chapters": (_listed(chapters & {*COMMON_CHAPTERS}) or _NONE) if codes else "",
        "categories": _listed(categories),
    }


def _listed(labels: set[str]) -> str:
    return "; ".join(sorted(labels))
