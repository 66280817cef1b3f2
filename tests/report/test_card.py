"""Model cards: what they say, what they never say, and where they lie."""

import json
from pathlib import Path

from preceptor.evidence import number
from preceptor.report import model_card, read_run, write_cards
from run_folders import SECRET


def test_a_card_says_what_was_found_and_what_it_is_not_for(real: Path) -> None:
    run = read_run(real)
    card = model_card(run, "urgency", "sft+dpo")
    for cell in run.results.of_arm("urgency", "sft+dpo"):
        assert cell.value is not None
        assert f"| {cell.seed} | {number(cell.value)} |" in card
    assert "Not a medical device" in card
    assert "A model tuned on patients' cases may repeat them." in card
    assert "DPO went on from there for 1 epoch (learning rate 0.001" in card
    assert f"Recommendation: **{run.results.conclusions[0].recommendation}**" in card
    assert run.results.study.tasks[0].test_sha256 in card


def test_a_card_names_no_path_and_no_case(real: Path, synthetic: Path) -> None:
    for folder, task in ((real, "urgency"), (synthetic, "summarization")):
        card = model_card(read_run(folder), task, "sft")
        assert str(folder.parent) not in card
        assert "/tmp" not in card
        assert "cases.csv" not in card
        assert SECRET not in card
        assert "heart rate" not in card


def test_a_card_of_a_task_with_its_own_training_names_that(synthetic: Path) -> None:
    text, own = (synthetic / "study.yaml").read_text(), "  sft: {epochs: 7, learning_rate: 0.5}"
    (synthetic / "study.yaml").write_text(text.replace("  margin: 0.05", f"  margin: 0.05\n{own}", 1))
    run = read_run(synthetic)
    assert "at most 7 epochs (learning rate 0.5" in model_card(run, "triage_urgency", "sft")
    assert "at most 7 epochs" not in model_card(run, "summarization", "sft")


def test_every_tuned_model_gets_its_card(synthetic: Path) -> None:
    written = write_cards(synthetic)
    assert len(written) == 6  # two tasks, three tuned arms
    assert all(path.name == "README.md" and path.parent.name == "adapter" for path in written)
    cards = [path.read_text() for path in written]
    assert sum("study, with seed 0. After SFT, direct preference optimization" in card for card in cards) == 2


def test_a_card_is_never_written_outside_of_the_run(synthetic: Path) -> None:
    elsewhere = synthetic.parent / "elsewhere"
    (elsewhere / "adapter").mkdir(parents=True)
    results = json.loads((synthetic / "results.json").read_text())
    for cell in results["cells"]:
        cell["policy"] = "../elsewhere"
    (synthetic / "results.json").write_text(json.dumps(results))
    assert write_cards(synthetic) == []
    assert not list((elsewhere / "adapter").iterdir())


def test_hostile_words_stay_words(synthetic: Path) -> None:
    results = json.loads((synthetic / "results.json").read_text())
    results["study"]["tasks"][0]["title"] = "<script>x</script>\n# Heading | [link](javascript:x)"
    (synthetic / "results.json").write_text(json.dumps(results))
    card = model_card(read_run(synthetic), "triage_urgency", "sft")
    assert r"\<script\>x\</script\> \# Heading \| \[link\](javascript:x)" in card
