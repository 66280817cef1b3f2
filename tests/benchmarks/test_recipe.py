"""Settings are judged on validation cases, and held-out cases are never seen."""

import json
from pathlib import Path

import pytest

from benchmarks import recipe
from preceptor.study import load_study
from preceptor.study.stages._learned import chooses
from prepared_study import prepare_tiny
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
    kinds = [json.loads(file.read_bytes())["kind"] for file in tmp_path.glob("kept/stages/*/ledger.json")]
    assert sorted(kinds) == ["dpo"] * len(rows) + ["pairs", "sft"], "each setting is trained with"
    ledgers = {file: file.stat().st_mtime_ns for file in tmp_path.glob("kept/stages/*/ledger.json")}
    assert list(recipe.measure(study, base, ["dpo"], tmp_path / "kept")) == rows
    again = {file: file.stat().st_mtime_ns for file in tmp_path.glob("kept/stages/*/ledger.json")}
    assert again == ledgers, "what was trained is found again"


@pytest.mark.parametrize(
    ("task", "weight", "labels"),
    [
        (None, 0.3, True),
        (None, None, False),
        ({"answer": {"kind": "text", "max_new_tokens": 6}, "metric": "rouge_l", "also": []}, 0.3, False),
    ],
    ids=["labels", "labels as texts", "texts"],
)
def test_settings_of_labels_are_changed_where_labels_are_chosen_from(
    tmp_path: Path, tiny_tokenizer: object, task: dict[str, object] | None, weight: float | None, labels: bool
) -> None:
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, task=task, sft={"label_token_weight": weight})
    found = recipe.changes(prepared, study, "sft")
    said = [recipe._changed(prepared, study, "sft", one)[1] for one in found]
    of_labels = ["label_token_weight 0.1", "label_balance class_weights", "label_balance logit_adjustment"]
    assert [one for one in said if one.startswith("label_")] == (of_labels if labels else [])
    assert len(said) == 3 + 3 * labels
    for one in found:
        changed, _ = recipe._changed(prepared, study, "sft", one)
        assert chooses(changed.task, changed.entry.sft) == labels
    assert len(recipe.changes(prepared, study, "dpo")) == len(recipe.CHANGES["dpo"])
