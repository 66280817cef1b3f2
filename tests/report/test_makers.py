"""The page says where rejected answers came from, whose model was better, and nothing that results do not say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from html_page import Page
from preceptor.report import write_report
from preceptor.report._page import render
from preceptor.report._run import parse_run

FURTHER = "sft+dpo@near_miss"
FINDINGS: dict[str, Any] = {
    "pairs": 40, "makers": {"near_miss": 40}, "identical": 0, "rejected_right": 0, "near_identical": 0,
    "contradicting": 0, "longer_chosen": 0.5, "ordered_rightly": 0.6, "notes": {},
}  # fmt: skip


@pytest.fixture
def shown(synthetic: Path) -> Callable[..., str]:
    """The page's text after a maker was added whose contrast and findings are changed."""

    def show(contrast: dict[str, Any] | None = None, **findings: Any) -> str:
        file = synthetic / "results.json"
        results = json.loads(file.read_text())
        results["study"]["makers"] = ["hardest_label", "near_miss"]
        results["study"]["arms"].append(FURTHER)
        for cell in [one for one in results["cells"] if one["arm"] == "sft+dpo"]:
            pairs = {"near_miss": 40, "without_pair": 3, "too_long": 0}
            results["cells"].append({**cell, "arm": FURTHER, "pairs": pairs, "pair_findings": FINDINGS | findings})
        for one in [one for one in results["contrasts"] if (one["a"], one["b"]) == ("sft+dpo", "sft")]:
            new = {"a": FURTHER, "b": "sft+dpo", "family": "secondary", **(contrast or {})}
            results["contrasts"].append({**one, **new})
        file.write_text(json.dumps(results))
        return Page(render(parse_run(synthetic))).text  # this contrast was never computed

    return show


def test_the_section_says_who_made_which_pairs(shown: Callable[..., str]) -> None:
    text = shown()
    section = text.partition("Where the rejected answers came from")[2].partition("Flow of cases")[0]
    assert "SFT+DPO (near miss)" in section
    assert "cases without a pair 3" in section
    assert "hardest label" in section
    assert "60%" in section
    assert "SFT+DPO was also done with rejected answers from other makers: near miss." in text
    assert "Maker of pairs" in text


@pytest.mark.parametrize(
    ("contrast", "told"),
    [
        ({"verdict": "better"}, "Pairs by near miss made a better model than pairs by hardest label: +0.10 accuracy"),
        ({"verdict": "worse"}, "Pairs by hardest label made a better model than pairs by near miss: +0.10 accuracy"),
        ({"verdict": "equivalent"}, "near miss and by hardest label made models that differ by less than matters"),
        ({"verdict": "inconclusive"}, "from pairs by near miss and by hardest label cannot be told apart"),
        ({"descriptive": "fewer than 20 patients"}, "are only described (fewer than 20 patients)"),
        ({"verdict": "better", "less_than_matters": True}, "hardest label, though by less than matters"),
    ],
)
def test_it_says_whose_model_was_better_or_that_it_cannot_tell(
    shown: Callable[..., str], contrast: dict[str, Any], told: str
) -> None:
    numbers = {"delta": 0.1, "ci": [0.02, 0.18], "p_adjusted": 0.03, "metric": "accuracy", "descriptive": None}
    text = shown({**numbers, **contrast})
    assert told in text
    assert "[0.02, 0.18] for near miss against hardest label, adjusted p = .030" in text


@pytest.mark.parametrize(
    ("findings", "told"),
    [
        ({"rejected_right": 2}, "a rejected answer was as good as the right one in 2 pairs; dropped"),
        ({"identical": 1}, "both answers were the same in 1 pair; dropped"),
        ({"near_identical": 3}, "in case, space or punctuation alone in 3 pairs"),
        ({"contradicting": 2}, "2 pairs contradict each other on the same prompt"),
        ({"pairs": 7}, "only 7 pairs to learn from"),
        ({"longer_chosen": 0.8}, "the longer answer is chosen in 80%"),
        ({"longer_chosen": 0.1}, "the shorter answer is chosen in 90%"),
        ({"ordered_rightly": 0.95}, "found the chosen answer likelier in 95% already"),
        ({"notes": {"order decided": 6}}, "order decided 6"),
    ],
)
def test_what_is_wrong_with_pairs_is_warned_of(shown: Callable[..., str], findings: dict[str, Any], told: str) -> None:
    assert told in shown(**findings)


def test_sound_pairs_are_not_warned_of(shown: Callable[..., str]) -> None:
    text = shown()
    assert "dropped." not in text
    assert "may be what is learnt" not in text


def test_small_counts_of_real_cases_stay_out(real: Path) -> None:
    file = real / "results.json"
    results = json.loads(file.read_text())
    for cell in results["cells"]:
        if cell["arm"] == "sft+dpo":
            cell["pair_findings"] = FINDINGS | {"rejected_right": 3, "notes": {"ties": 2}}
    file.write_text(json.dumps(results))
    text = Page(write_report(real).read_text()).text
    assert "ties <5" in text
    assert "in <5 pairs; dropped" in text
    assert "in 3 pairs; dropped" in Page(write_report(real, with_text=True).read_text()).text


def test_a_study_without_dpo_has_no_such_section(synthetic: Path) -> None:
    file = synthetic / "results.json"
    results = json.loads(file.read_text())
    for cell in results["cells"]:
        cell["pairs"] = {}
    file.write_text(json.dumps(results))
    assert "Where the rejected answers came from" not in write_report(synthetic).read_text()
