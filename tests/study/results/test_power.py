"""What the held-out cases can show is told before anything is trained, and in numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from preceptor.evidence import power
from preceptor.study.results.power import power_of, show_power
from prepared_study import DATA, prepare_tiny

MARGIN = [{"task": "urgency.task.yaml", "data": DATA, "margin": 0.05}]


def test_more_arms_and_tasks_ask_for_larger_differences(tmp_path: Path, tiny_tokenizer: Any) -> None:
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, patients=400)
    told = power_of(one, study, tasks=1)
    assert told.patients == one.test_patients == 100
    assert (told.kind, told.alpha, told.equivalence) == ("discordance", 0.05, None)
    assert [row.assumed for row in told.smallest] == [0.1, 0.2, 0.3]
    assert told.smallest[1].difference == power.smallest_difference(100, 0.2)
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, patients=400, arms=["sft", "sft+dpo", "sft+sft"])
    stricter = power_of(one, study, tasks=3)
    assert stricter.alpha == pytest.approx(0.05 / 6)
    assert stricter.smallest[1].difference > told.smallest[1].difference


def test_what_is_worth_it_must_show_in_all_primary_contrasts_at_once(tmp_path: Path, tiny_tokenizer: Any) -> None:
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, patients=400)
    assert power_of(one, study, tasks=3).together == []
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, patients=400, arms=["sft", "sft+dpo", "sft+sft"])
    told = power_of(one, study, tasks=3)
    assert [row.assumed for row in told.together] == [0.1, 0.2, 0.3]
    assert told.together[1].difference == power.smallest_difference(100, 0.2, power=0.9, alpha=0.05 / 3)
    rng, difference = np.random.default_rng(0), told.together[1].difference
    assert difference is not None
    # Two independent contrasts; those of one study share an arm and go together, so that both are found more often.
    discordant = rng.binomial(100, 0.2, size=(4000, 2))
    losses = rng.binomial(discordant, (1 - difference / 0.2) / 2)
    p = 2 * stats.binom.cdf(losses, discordant, 0.5)  # exact McNemar
    assert np.mean((p < 0.05 / 3).all(axis=1)) > 0.79


def test_scores_go_by_their_spread(tmp_path: Path, tiny_tokenizer: Any) -> None:
    text = {"answer": {"kind": "text", "max_new_tokens": 8}, "metric": "rouge_l", "also": []}
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, task=text, tasks=MARGIN)
    told = power_of(one, study, tasks=1)
    assert told.kind == "sd"
    assert told.smallest[0].difference == power.smallest_mean_difference(one.test_patients, 0.1)
    assert [row.reachable for row in told.equivalence] == [
        power.equivalence_reachable(one.test_patients, sd, 0.05, "sd") for sd in (0.1, 0.2, 0.3)
    ]


def test_the_table_fits_a_narrow_terminal_and_says_what_is_missing(tmp_path: Path, tiny_tokenizer: Any) -> None:
    def shown(**changes: Any) -> str:
        study, one = prepare_tiny(tmp_path, tiny_tokenizer, patients=400, **changes)
        console = Console(width=80, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
        show_power(study, [one], console)
        return console.export_text()

    without, with_margin = shown(), shown(tasks=MARGIN)
    assert "no margin set" in without
    assert "100" in without
    assert "no / no / no" in with_margin
    assert max(map(len, with_margin.splitlines())) <= 80
    assert "urgency: this study cannot see a difference of the margin, 0.05: none below" in " ".join(
        with_margin.split()
    )
    assert "cannot see" not in without
    large = shown(tasks=[{**MARGIN[0], "margin": 0.3}])
    assert "cannot see" not in large
    assert "fewer than 25 held-out patients have urgent" not in large
    strict = " ".join(shown(tasks=[{**MARGIN[0], "sensitivity_margin": 0.01}]).split())
    assert "fewer than 268 held-out patients have urgent" in strict
    several = shown(arms=["sft", "sft+dpo", "sft+sft"])
    assert "all: 0." in several
    assert max(map(len, several.splitlines())) <= 80
    assert shown(primary=[]) == "", "without a primary contrast there is nothing to show"
