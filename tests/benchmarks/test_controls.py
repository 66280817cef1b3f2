"""The controls on a tiny model, in float32: what turned pairs do is the opposite of what pairs as given do."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks._control_arms import Arms, Row
from benchmarks._copied_forward import Archive, Sizes, copied_forward, dose_response, half_of_each
from benchmarks.controls import section

from benchmarks import _copied_forward, _invented_facts, _label_controls
from preceptor.engine import Numerics, answer_logprobs, schedule, shares_prefixes
from preceptor.models import ModelSource

SIZES = Sizes(train=24, corrected=8, validation=4, held_out=6, drawn=2, written=2, context=2000)


@pytest.fixture
def archive(tiny_source: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """With rates at which a tiny model learns."""
    for name, rate in {"SFT": 2e-2, "DPO": 1e-2, "FASTER": 1e-2, "CORRECTED": 1e-2}.items():
        faster = getattr(_copied_forward, name).model_copy(update={"learning_rate": rate, "epochs": 4})
        monkeypatch.setattr(_copied_forward, name, faster)
    monkeypatch.setattr(_copied_forward, "PAIRS", (4, 8))
    monkeypatch.setattr(_copied_forward, "BETAS", (0.5,))
    monkeypatch.setattr(_copied_forward, "RATES", ())
    monkeypatch.setattr(_invented_facts, "DPO", _copied_forward.DPO)
    monkeypatch.setattr(_label_controls, "DPO", _copied_forward.DPO)
    monkeypatch.setattr(_label_controls, "CONTEXT", 2000)
    return Archive(Arms(tiny_source, Numerics(threads=1), tmp_path), SIZES)


def by_case(rows: Iterator[Row]) -> dict[tuple[str, str], Row]:
    found = {(row.what, row.case): row for row in rows}
    assert all(row.low <= row.ours <= row.high and (row.bound is None) == (row.holds is None) for row in found.values())
    return found


@pytest.mark.slow
def test_preferences_move_the_item_both_ways(archive: Archive) -> None:
    found = by_case(copied_forward(archive))
    rows = {case: row for (what, case), row in found.items() if what == "invented item"}
    assert all(0 <= found[what, "SFT+DPO"].ours <= 1 for what in ("fact-F1 of answers", "answers with the item"))
    sft, before = rows["SFT"], rows["SFT+DPO, settings of before"]
    given, turned = rows["SFT+DPO"], rows["SFT+DPO, pairs turned round"]
    assert given.high < sft.low
    assert turned.low > sft.high
    assert given.ours < rows["SFT+DPO, half of the pairs turned round"].ours < turned.ours
    assert abs(before.ours - sft.ours) < abs(given.ours - sft.ours)
    assert (before.steps, given.steps, given.peer) == (1, 8, sft.ours)


@pytest.mark.slow
def test_doses_have_their_rows(archive: Archive) -> None:
    """A tiny model's answers move too far to be compared by how likely they still are; what is asked is the rows."""
    rows = by_case(dose_response(archive))
    assert rows["invented item", "SFT+DPO, 4 pairs"].steps == 4
    assert rows["invented item", "SFT+DPO, 8 pairs"].steps == 8
    assert rows["invented item", "trend over 0, 4, 8 pairs (Page)"].unit == "p"
    assert rows["KL to the SFT policy", "SFT+DPO, beta 0.1"].bound is None, "the smallest has none before it"
    assert rows["KL to the SFT policy", "SFT+DPO, beta 0.5"].bound == "below that of the smaller beta"


@pytest.mark.slow
def test_labels_and_invented_facts_have_their_rows(archive: Archive) -> None:
    """A tiny model learns neither task; what is asked of the rows is that they are what was measured."""
    rows = by_case(_invented_facts.invented_facts(archive, stays=6, held_out=4))
    assert [what for what, _ in rows][:2] == ["invented facts", "facts recalled"]
    assert len(rows) == (4 if rows["invented facts", "SFT"].bound is None else 2), "nothing to prefer, nothing after"
    sizes = _label_controls.Sizes(train=16, pairs=8, validation=4, held_out=12)
    rows = by_case(_label_controls.label_controls(archive.arms, sizes))
    assert [case for _, case in rows] == [
        "SFT",
        "SFT+DPO, pairs turned round",
        "SFT, another seed",
        "SFT on labels exchanged among cases",
    ]
    assert rows["accuracy", "SFT+DPO, pairs turned round"].steps == 8


def test_stays_differ_in_the_item_alone(archive: Archive) -> None:
    stays = archive.stays
    assert (len(stays.train), len(stays.corrections), len(stays.held_out)) == (24, 24, 6)
    for pair, learned in zip(stays.corrections, stays.train, strict=False):
        assert learned.answer in (pair.chosen, pair.rejected)
        assert pair.rejected[: len(pair.chosen) - 1] == pair.chosen[:-1]
    spiked = sum(one.answer == two.rejected for one, two in zip(stays.train, stays.corrections, strict=False))
    assert 0 < spiked < 24
    assert not {tuple(one.prompt) for one in stays.train} & {tuple(one.prompt) for one, _ in stays.held_out}


def test_the_probability_of_the_item_is_that_of_two_answers_scored_alone(archive: Archive) -> None:
    policy, stage = archive.arms.first("untrained", lambda policy, folder: archive_stage(archive, policy, folder))
    assert stage is not None
    found = _copied_forward.probabilities(policy, archive.stays.held_out)
    for value, both in zip(found, archive.stays.held_out, strict=True):
        with torch.no_grad():
            without, with_item = (
                float(answer_logprobs(policy.model, [one], share=shares_prefixes(policy))[0].double().sum())
                for one in both
            )
        assert value == pytest.approx(1 / (1 + torch.tensor(without - with_item).exp().item()), abs=1e-5)


def test_an_arm_does_not_go_on_from_the_checkpoints_of_another_policy(archive: Archive, tmp_path: Path) -> None:
    """PC1 and the controls on labels both have an arm of turned pairs."""

    def learned(arms: Arms, pairs: dict[str, int]) -> list[torch.Tensor]:
        for name, count in pairs.items():
            arms.first(name, lambda policy, folder: archive_stage(archive, policy, folder))
            policy, _ = arms.after(name, "turned", arms.dpo(archive.stays.corrections[:count], _copied_forward.DPO))
        return [one.detach() for one in policy.model.parameters() if one.requires_grad]

    alone = learned(replace(archive.arms, folder=tmp_path / "alone"), {"second": 8})
    behind = learned(archive.arms, {"first": 4, "second": 8})
    assert alone
    assert all(map(torch.equal, alone, behind))


def archive_stage(archive: Archive, policy: Any, folder: Path) -> Any:
    """One step of SFT."""
    settings = _copied_forward.SFT.model_copy(update={"epochs": 1, "batch_size": 24})
    return archive.arms.sft(archive.stays.train, archive.stays.validation, settings)(policy, folder)


@pytest.mark.parametrize(("count", "size", "epochs"), [(32, 4, 2), (8, 4, 4), (7, 3, 1), (5, 8, 3)])
def test_half_of_every_batch_is_turned_round(count: int, size: int, epochs: int) -> None:
    batches = schedule(count, size, epochs, 0)
    half = half_of_each(batches)
    assert all(len(half.intersection(batch)) == len(batch) // 2 for batch in batches)


def test_halves_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no half"):
        half_of_each([[0, 1], [1, 2], [0, 2]])


def test_a_row_says_whether_its_bound_holds() -> None:
    one = Row("item", "SFT", 0.5, 0.4, 0.6, "probability")
    assert "holds" not in str(one)
    assert str(one.must("under .7", True)).endswith("under .7: holds")
    assert replace(one.must("under .3", False), steps=4).holds is False


def test_kept_rows_stand_in_a_section_with_what_was_asked_of_them(tmp_path: Path) -> None:
    assert section(tmp_path) == []
    sft = Row("invented item", "SFT", 0.6, 0.5, 0.7, "probability", None, 20, 1e-2, 60.4)
    trend = Row("invented item", "trend (Page)", 0.0002, 0.0002, 0.0002, "p").must("p below .001", True)
    missed = replace(sft, case="SFT+DPO").must("upper bound under .35", False)
    (tmp_path / "controls-dose.json").write_text(json.dumps([asdict(missed)]))
    (tmp_path / "controls-pc1.json").write_text(json.dumps([asdict(row) for row in (sft, trend)]))
    lines = section(tmp_path)
    assert "Of 2 bounds 1 are missed." in lines[2]
    assert lines[-3:] == [
        "| invented item | SFT | 0.600 [0.500, 0.700] | probability | 20 | 1.0e-02 | 60 s | - | - |",
        "| invented item | trend (Page) | p < .001 | p | - | - | - | p below .001 | holds |",
        "| invented item | SFT+DPO | 0.600 [0.500, 0.700] | probability | 20 | 1.0e-02 | 60 s | upper bound under .35 "
        "| **fails** |",
    ]
