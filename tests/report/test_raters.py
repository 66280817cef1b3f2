"""The page says what raters said, beside the models, with no rater's name and no small count of real cases."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from html_page import Page
from preceptor.report import write_report
from run_folders import EARLIER

AGREEMENT: dict[str, Any] = {
    "level": "ordinal", "items": 44, "raters": 2, "raw": {"value": 0.66, "ci": [0.51, 0.78]},
    "alpha": {"value": 0.71, "ci": [0.58, 0.81]}, "kappa": {"value": 0.72, "ci": [0.59, 0.82]},
}  # fmt: skip
GOLD: dict[str, Any] = {
    "metric": "macro_f1", "value": 0.83, "ci": [0.74, 0.91], "items": 53, "patients": 50, "raters": 3,
    "agreement": {**AGREEMENT, "level": "nominal", "items": 53},
}  # fmt: skip
NAMES = ("Dr Ada Zebra", "Nurse Bo Yak")
SENTENCE = "SFT+DPO is better than SFT on x: +0.41 quality by raters [0.12, 0.70], adjusted p = .012, n = 22 patients."


def scored(task: str, **changes: Any) -> dict[str, Any]:
    raters = [
        {"rater": name, "n": 22, "mean_a": 3.91, "mean_b": 3.37, "delta": 0.54, "also_made_training_pairs": False}
        for name in NAMES
    ]
    return {
        "task": task, "a": "sft+dpo", "b": "sft", "seed": 0, "scale": "quality", "higher_is_better": True,
        "mean_a": 3.86, "mean_b": 3.45, "delta": 0.41, "ci": [0.12, 0.70], "p": 0.006, "p_adjusted": 0.012,
        "test": "arms swapped within patients", "interval": "patients resampled", "n": 22, "patients": 22,
        "verdict": "better", "descriptive": None, "sentence": SENTENCE, "raters": raters, "agreement": AGREEMENT,
        "held_out": 60, "differing": 31, "outdated": 0, **changes,
    }  # fmt: skip


@pytest.fixture
def shown() -> Callable[..., str]:
    """The text of a run's page when raters said something of its first task."""

    def show(folder: Path, *, gold: dict[str, Any] | None = None, entries: int = 1, **changes: Any) -> str:
        file = folder / "results.json"
        results = json.loads(file.read_text())
        task = results["study"]["tasks"][0]
        task["human_agreement"] = gold
        results["versions"] |= EARLIER
        results["human"] = [scored(task["name"], **changes) for _ in range(entries)]
        file.write_text(json.dumps(results))
        return Page(write_report(folder).read_text()).text

    return show


def first_screen(text: str) -> str:
    return text.rpartition("What this does not show")[0]


def section_of(text: str) -> str:
    return text.partition("What raters said People judged")[2].partition("Where the rejected answers came from")[0]


def test_scores_stand_with_the_conclusion_and_rater_by_rater(synthetic: Path, shown: Callable[..., str]) -> None:
    text = shown(synthetic)
    assert SENTENCE in first_screen(text)
    section = section_of(text)
    for number in ("3.86", "3.45", "+0.41", "[0.12, 0.70]", ".012", "Rater 1", "Rater 2", "3.91", "3.37", "+0.54"):
        assert number in section
    for number in ("0.66", "[0.51, 0.78]", "0.71", "[0.58, 0.81]", "0.72", "[0.59, 0.82]"):
        assert number in section
    assert "22 of 31, among 60 held-out cases" in section
    assert "2 raters [who they are] judged held-out answers" in text
    assert "Alpha and kappa" in text


def test_no_raters_name_stands_on_the_page(synthetic: Path, shown: Callable[..., str]) -> None:
    text = shown(synthetic, gold=GOLD)
    assert not any(name in text for name in NAMES)


def test_how_raters_agree_on_gold_stands_beside_the_models(synthetic: Path, shown: Callable[..., str]) -> None:
    text = shown(synthetic, gold=GOLD, entries=0)
    said = "each held against each other: macro-F1 0.83 [0.74, 0.91], 3 raters, 53 cases."
    assert said in first_screen(text)
    assert "Raters one against another \N{EN DASH} 0.83 [0.74, 0.91]" in text
    assert "Gold label nominal 3" not in text  # the raters of the agreement are two
    assert "Gold label nominal 2 53" in text
    assert "Gold labels were given by raters [who they are] without seeing any model's answer." in text


def test_what_was_not_measured_is_said_of_the_tasks_without_it(synthetic: Path, shown: Callable[..., str]) -> None:
    other = json.loads((synthetic / "results.json").read_text())["study"]["tasks"][1]["title"]
    before = Page(write_report(synthetic).read_text()).text
    assert "clinicians would agree with each other on these cases was not measured" in before
    assert "What raters said" not in before
    assert "Alpha and kappa" not in before
    text = shown(synthetic, gold=GOLD)
    assert f"clinicians would agree with each other on the cases of {other} was not measured" in text


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"outdated": 7}, "Left out: 7 cases that were scored on answers which the arms do not give any more."),
        (
            {"agreement": AGREEMENT | {"alpha": {"value": 0.4, "ci": [0.2, 0.6]}}},
            "Quality, 1 to 5: raters agree too little",
        ),
        (
            {"raters": [{**scored("t")["raters"][0], "also_made_training_pairs": True}]},
            "Rater 1 also made pairs that a model was trained on",
        ),
    ],
)
def test_what_to_beware_of_is_said(
    synthetic: Path, shown: Callable[..., str], changes: dict[str, Any], warning: str
) -> None:
    assert warning in shown(synthetic, **changes)


def test_without_anything_to_beware_of_nothing_is_warned_of(synthetic: Path, shown: Callable[..., str]) -> None:
    section = section_of(shown(synthetic))
    assert "Left out" not in section
    assert "also made pairs" not in section
    assert "agree too little" not in section


def test_of_real_cases_no_small_count_is_shown(real: Path, shown: Callable[..., str]) -> None:
    raters = [{**scored("t")["raters"][0], "n": 3}]
    text = shown(real, n=3, patients=3, differing=4, raters=raters, agreement=AGREEMENT | {"items": 2})
    section = section_of(text)
    assert "<5 of <5, among 60 held-out cases" in section
    assert "Rater 1 <5 3.91" in section


def test_the_checklist_counts_what_raters_did(synthetic: Path, real: Path, shown: Callable[..., str]) -> None:
    assert "Raters, cases and their agreement." in shown(real, gold=GOLD)
    assert "What raters said of the same answers" in shown(synthetic)


def test_the_first_screen_says_how_long_clinicians_worked(synthetic: Path) -> None:
    file = synthetic / "results.json"
    results = json.loads(file.read_text())
    assert "Clinicians' time none on Preceptor's page" in Page(write_report(synthetic).read_text()).text
    results["clinician_seconds"] = {"gold": 7200.0, "held_out": 1800.0}
    file.write_text(json.dumps(results))
    text = Page(write_report(synthetic).read_text()).text
    assert "Clinicians' time 2.0 h labelling cases, 30 min scoring held-out answers" in text
