"""What docs/COMPARE_PREDICTIONS.md says of two runs works, as it stands there."""

import csv
from pathlib import Path

import pytest

from command_line import CommandLine
from docs_commands import ROOT, blocks
from prediction_files import label_rows, write_rows

PAGE = ROOT / "docs" / "COMPARE_PREDICTIONS.md"


def test_two_runs_are_compared_with_the_table_they_were_made_of(
    preceptor: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made, judged = (
        next(one for one in blocks(PAGE) if words in one.text) for words in ("pandas.read_csv", "notes-mine")
    )
    cases = label_rows(1.0, patients=60)
    with Path("notes.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("patient_id", "note", "smoking"))
        out.writerows((row["patient"], "Seen in clinic,\nnever smoked.", row["gold"]) for row in cases)
    (words,) = judged.commands()
    for name, right in zip(words[2:4], (0.9, 0.6), strict=True):
        answers = label_rows(right, patients=60, seed=1)[30:]  # the held-out ones
        Path(name).parent.mkdir(parents=True)
        write_rows(Path(name), [{"id": str(n), "answer": row["answer"]} for n, row in enumerate(answers, 32)])
    exec(made.text)
    shown = preceptor.run(*words[1:])
    assert shown.code == 0, shown
    assert "Smollm2-135m-instruct is better than mine on these cases" in shown.shown
    assert "n = 30 patients" in shown.shown
