"""Settings are judged on validation cases, and held-out cases are never seen."""

from pathlib import Path

import pytest

from benchmarks import recipe
from preceptor.study import load_study
from tiny_study import write_study


@pytest.mark.slow
def test_each_changed_setting_stands_beside_the_studys_own(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, base = load_study(str(write_study(tmp_path, tiny_model_folder, sft={"epochs": 1, "learning_rate": 0.01})))
    seen: list[int] = []
    judged = recipe._judged

    def watched(tree, prepared, arm):  # type: ignore[no-untyped-def]
        assert prepared.splits.test == prepared.splits.validation
        seen.append(len(prepared.test))
        return judged(tree, prepared, arm)

    monkeypatch.setattr(recipe, "_judged", watched)
    rows = list(recipe.measure(study, base, ["dpo"], tmp_path / "kept"))
    assert [row.what for row in rows] == [
        "sft+dpo, the study's own",
        "sft+dpo, learning_rate 0.0004",
        "sft+dpo, learning_rate 0.0025",
        "sft+dpo, beta 0.0333333",
        "sft+dpo, beta 0.3",
        "sft+dpo, sft_weight 0",
    ]
    assert len(set(seen)) == 1
    assert all(0 <= row.ours <= 1 and row.peer == rows[0].ours and row.seconds > 0 for row in rows)
    ledgers = {file: file.stat().st_mtime_ns for file in tmp_path.glob("kept/stages/*/ledger.json")}
    assert list(recipe.measure(study, base, ["dpo"], tmp_path / "kept")) == rows
    again = {file: file.stat().st_mtime_ns for file in tmp_path.glob("kept/stages/*/ledger.json")}
    assert again == ledgers, "what was trained is found again"
