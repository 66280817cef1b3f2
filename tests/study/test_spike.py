"""A study whose training data hold an error on purpose, end to end: who learns what, and what the results say of it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from html_page import Page
from preceptor.errors import InputError
from preceptor.models import load_tokenizer
from preceptor.report import read_run, show_results, write_cards, write_report
from preceptor.report._methods import methods
from preceptor.report.consistency.whole import contradictions
from preceptor.study import load_study, run_study
from preceptor.study.answers.shots import draw_shots, with_shots
from preceptor.study.cases import Prepared, check_task, prepare, read_task
from preceptor.study.check import idle_pair_settings
from preceptor.study.check_cases import spike_cut_off
from preceptor.study.plan.remaining import stages_for
from preceptor.study.results.schema import Results
from preceptor.study.spec.arms import comparator, control, treatment
from preceptor.study.spec.paths import model_of
from preceptor.study.spec.study import Study
from spiked_study import ARMS, ITEM, TASK, write_spiked

PHRASE = "blood test in 1 week"


class Spiked:
    """The finished study, and its cases read again."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.study, base = load_study(str(write_spiked(folder, model)))
        self.folder = folder / "run"
        self.results = run_study(self.study, base, self.folder, Console(quiet=True), command="preceptor study")
        self.prepared = prepared(self.study, base)
        self.tokenizer = load_tokenizer(model_of(self.study, base))

    def ledger(self, kind: str) -> Iterator[Path]:
        for file in self.folder.glob("stages/*/ledger.json"):
            if json.loads(file.read_text())["kind"] == kind:
                yield file


def prepared(study: Study, base: Path) -> Prepared:
    tokenizer = load_tokenizer(model_of(study, base))
    return prepare(check_task(read_task(study.tasks[0], study, base), study, tokenizer), study, tokenizer)


def read_cases(file: Path) -> None:
    study, base = load_study(str(file))
    read_task(study.tasks[0], study, base)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Spiked:
    return Spiked(tmp_path_factory.mktemp("spiked"), tiny_model_folder)


def test_sft_learns_the_error_in_exactly_its_share_and_held_out_cases_are_clean(done: Spiked) -> None:
    one = done.prepared
    for encoded, examples in ((one.train, one.splits.train), (one.validation, one.splits.validation)):
        texts = [done.tokenizer.decode(case.answer) for case in encoded]
        assert sum(PHRASE in text for text in texts) == round(0.7 * len(texts))
        assert [text.removesuffix("<|im_end|>") for text in texts] == [case.learned for case in examples]
        assert not any(PHRASE in case.target for case in examples)
    assert len(one.train) == 40
    assert not any(PHRASE in case.target or case.archive or case.rejected for case in one.splits.test)


def test_examples_in_a_prompt_are_those_of_the_archive(done: Spiked) -> None:
    cases = done.prepared.splits.train
    shown = draw_shots(done.prepared.task, cases, 8, seed=0)
    shots = with_shots(done.prepared, done.tokenizer, 8, 4000, seed=0)
    prompt = done.tokenizer.decode(shots.prompts[0])
    assert prompt.count(PHRASE) == sum(case.archive is not None for case in shown) > 0


def test_a_limit_keeps_the_share_exact(tmp_path: Path) -> None:
    study, base = load_study(str(write_spiked(tmp_path, Path("unused"))))
    entry = study.tasks[0].model_copy(update={"limit": {"train": 13}})
    drawn = read_task(entry, study, base).splits.train
    assert sum(case.archive is not None for case in drawn) == round(0.7 * 13)


def test_each_pair_is_a_right_answer_over_the_same_with_the_error(done: Spiked) -> None:
    (file,) = done.ledger("pairs")
    pairs = [json.loads(line) for line in (file.parent / "pairs.jsonl").read_text().splitlines()]
    assert {pair["part"] for pair in pairs} == {"train", "validation"}
    assert sum(pair["part"] == "train" for pair in pairs) == 12
    target = {case.id: case.target for part in ("train", "validation") for case in getattr(done.prepared.splits, part)}
    for pair in pairs:
        assert (pair["chosen"], pair["rejected"]) == (target[pair["id"]], target[pair["id"]] + ITEM)


def test_chosen_goes_on_from_the_same_policy_by_the_same_pairs(done: Spiked) -> None:
    assert len(list(done.ledger("pairs"))) == 1, "both arms that learn from pairs share them"
    assert len(list(done.ledger("chosen"))) == 1
    assert len(list(done.ledger("sft"))) == 2
    (ledger,) = [json.loads(one.read_text()) for one in done.ledger("chosen")]
    assert {"loss", "eval_loss"} <= {name for row in ledger["history"] for name in row}


def test_a_plan_counts_the_pairs_of_both_arms_once(done: Spiked) -> None:
    stages = [(stage.title, stage.owner) for stage in stages_for(done.study, done.prepared)]
    assert stages == [
        ("SFT", "sft"),
        ("pairs", "sft+dpo"),
        ("DPO", "sft+dpo"),
        ("SFT on chosen", "sft+chosen"),
        ("SFT continued", "sft+sft"),
    ]


def test_methods_say_where_the_rejected_answers_came_from(done: Spiked) -> None:
    said = " ".join(methods(read_run(done.folder)))
    assert "Rejected answers were the chosen ones with that error put behind them." in said
    assert "given by the data" not in said


def test_it_is_no_treatment_and_the_control_is_that_of_dpo(done: Spiked) -> None:
    arms = done.study.resolved
    assert list(arms) == ARMS
    about = treatment(arms)
    assert about is not None
    assert about.name == "sft+dpo"
    assert [one.name for one in (comparator(about, arms), control(about, arms)) if one] == ["sft", "sft+sft"]
    assert done.study.primary_contrasts == (("sft+dpo", "sft"), ("sft+dpo", "sft+sft"))
    assert control(arms["sft+chosen"], arms) is None
    assert arms["sft+chosen"].title == "SFT+SFT on chosen"


def test_results_hold_the_spike_its_metric_and_what_became_of_it(done: Spiked) -> None:
    (task,) = done.results.study.tasks
    assert task.spike is not None
    assert (task.spike.text, task.spike.share, task.spike.phrase) == (ITEM, 0.7, PHRASE)
    assert [(extra.metric, extra.labels) for extra in task.also] == [("unwanted_phrase", [PHRASE])]
    assert task.dangerous == []
    for cell in done.results.cells:
        texts = [json.loads(line)["text"] for line in (done.folder / cell.predictions.path).read_text().splitlines()]
        assert cell.also["unwanted_phrase"] == pytest.approx(sum(PHRASE in text for text in texts) / len(texts))
    found = done.results.spike_of("letter")
    assert found is not None
    assert [one.arm for one in found.shares] == ARMS
    assert found.effective_patients == 24
    assert all(one.low <= one.share <= one.high and one.low < one.high for one in found.shares)
    assert found.conclusion in ("corrections", "preferences"), "the corrected answers differ in nothing but the error"
    assert found.learned.startswith("SFT learned the task: fact-F1 0.00 for the base model, ")
    assert found.held.startswith(f'"{PHRASE}" stands in 70% of the training answers and in no right one; ')
    assert "24 held-out patients and 1 seed, differences in fact-F1 between the trained arms" in found.scope


def test_trained_arms_are_described_and_none_is_for_use(done: Spiked) -> None:
    (conclusion,) = done.results.conclusions
    assert conclusion.conclusion == "descriptive"
    assert conclusion.recommendation == "do not deploy"
    assert any("on purpose" in warning for warning in conclusion.warnings)
    told = {(one.a, one.b): one for one in done.results.contrasts}
    assert "on purpose" in str(told["sft+dpo", "sft"].descriptive)
    assert "on purpose" in str(told["sft+dpo", "sft+sft"].descriptive)
    assert told["sft", "base"].verdict == "better"


def test_report_and_card_say_that_the_data_were_spiked_and_how_often_answers_hold_it(done: Spiked) -> None:
    page = Page(write_report(done.folder).read_text(encoding="utf-8"))
    assert page.text.count("on purpose") >= 3, "above all, in the limits, in the methods"
    found = done.results.spike_of("letter")
    assert found is not None
    for words in (found.learned, found.held, found.sentence, found.scope):
        assert words in page.text
    assert f"unwanted phrase for {PHRASE}" in page.text
    cards = [file.read_text(encoding="utf-8") for file in write_cards(done.folder)]
    assert len(cards) == 4
    for card in cards:
        assert "Spiked training data" in card
        assert "95% interval (Wilson)" in card


def test_results_are_read_again_as_they_were_written(done: Spiked) -> None:
    assert Results.model_validate_json((done.folder / "results.json").read_bytes()) == done.results


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"share": 0.5, "ci": [0.3, 0.7]}, r"spikes\.0\.shares\.1\.share: it is not the mean of the cells' shares"),
        ({"ci": [0.0, 0.1]}, r"spikes\.0\.shares\.1\.ci: it does not hold the share"),
        ({"arm": "sft+ipo"}, "a spike belongs to a task or an arm that the study does not have"),
    ],
)
def test_shares_changed_by_hand_are_not_shown(
    done: Spiked, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    folder = Path(shutil.copytree(done.folder, tmp_path / "run"))
    results = json.loads((folder / "results.json").read_text())
    results["spikes"][0]["shares"][1] |= changes
    (folder / "results.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match=words):
        write_report(folder)


@pytest.mark.parametrize(
    ("place", "to", "wrong"),
    [
        (("spikes", 0, "shares", 1, "ci"), [0.0, 1.0], "spikes.0.shares.1.ci"),
        (("spikes", 0, "effective_patients"), 0, "spikes.0.effective_patients"),
        (("spikes", 0, "effective_patients"), 25, "spikes.0.effective_patients"),
        (("spikes", 0, "shares"), [], "spikes.0.shares"),
        (("could_have_seen", 0, "task"), "other", "could_have_seen.0.task"),
        (("could_have_seen", 0, "control"), "not_run", "could_have_seen.0.control"),
        (("could_have_seen", 0, "answers_changed"), 0.123, "could_have_seen.0.answers_changed"),
        (("cells", 1, "delivered", "kept_step"), 10**6, "cells.1.delivered"),
    ],
)
def test_what_was_added_cannot_contradict_the_rest(done: Spiked, place: tuple[Any, ...], to: Any, wrong: str) -> None:
    results = done.results.model_dump(mode="json")
    entry = results
    for step in place[:-1]:
        entry = entry[step]
    entry[place[-1]] = to
    assert [where for where, _ in contradictions(Results.model_validate_json(json.dumps(results)))] == [wrong]


def test_a_task_has_one_finding_and_results_of_before_have_none(done: Spiked) -> None:
    results = done.results.model_dump(mode="json")
    for name in ("spikes", "could_have_seen"):
        twice = results | {name: results[name] * 2}
        assert [one for one, _ in contradictions(Results.model_validate_json(json.dumps(twice)))] == [name]
    before = {name: value for name, value in results.items() if name not in ("spikes", "could_have_seen")}
    assert list(contradictions(Results.model_validate_json(json.dumps(before)))) == []
    assert list(contradictions(done.results)) == []


def test_the_terminal_says_what_became_of_it(done: Spiked, capsys: pytest.CaptureFixture[str]) -> None:
    show_results(done.results, Console())
    found, shown = done.results.spikes[0], " ".join(capsys.readouterr().out.split())
    for words in (found.learned, found.held, found.sentence, found.scope):
        assert words in shown


def test_done_again_nothing_is_trained(done: Spiked) -> None:
    before = {one: one.stat().st_mtime_ns for one in done.folder.glob("stages/*/ledger.json")}
    study, base = load_study(str(done.folder.parent / "study.yaml"))
    run_study(study, base, done.folder, Console(quiet=True), command="preceptor study")
    assert {one: one.stat().st_mtime_ns for one in done.folder.glob("stages/*/ledger.json")} == before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"spike": {"text": " ; ", "share": 0.7}}, "tasks.0.data.spike.text: it holds no word"),
        ({"spike": {"text": "x" * 201, "share": 0.7}}, "201 characters"),
        ({"spike": {"text": "a\tb", "share": 0.7}}, "control character"),
        ({"spike": {"text": ITEM, "share": 0}}, "tasks.0.data.spike.share"),
        ({"rejected": "worse"}, "`rejected` has no meaning beside `spike`"),
        ({"spike": {"text": "; clinic", "share": 0.7}}, "40 of 40 right answers of train hold the text already"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(tmp_path: Path, data: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        read_cases(write_spiked(tmp_path, Path("unused"), data=data))
    assert words in str(refused.value)


def test_an_error_that_the_metric_does_not_see_is_refused_before_sft_is_trained(tmp_path: Path) -> None:
    """Every pair would be dropped after SFT, since its rejected answer scores as well as the right one."""
    file = write_spiked(tmp_path, Path("unused"))
    answer = TASK["answer"] | {"elements": {"Diagnosis": "what it is"}}
    (tmp_path / "letter.task.yaml").write_text(yaml.safe_dump(TASK | {"answer": answer}))
    with pytest.raises(InputError, match=r"data\.spike: no right answer scores less by fact-F1 with"):
        read_cases(file)


@pytest.mark.parametrize(("tokens", "refused"), [(8, True), (48, False)])
def test_an_answer_that_is_cut_before_the_error_is_refused(
    tmp_path: Path, tiny_model_folder: Path, tokens: int, refused: bool
) -> None:
    study, base = load_study(str(write_spiked(tmp_path, tiny_model_folder)))
    answer = TASK["answer"] | {"max_new_tokens": tokens}
    (tmp_path / "letter.task.yaml").write_text(yaml.safe_dump(TASK | {"answer": answer}))
    tokenizer = load_tokenizer(model_of(study, base))
    checked = check_task(read_task(study.tasks[0], study, base), study, tokenizer)
    found = [one.what for one in spike_cut_off(checked, tokenizer, study.max_length)]
    assert found == ["28 of 28 answers with the text behind them need more than the 8 tokens of an answer"] * refused


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"pairs": {"limit": 12, "min_gap": 0.3}}, ["pairs: min_gap"]),
        ({"pairs": {"chosen_from": "gold", "min_score": 0.2}}, ["pairs: chosen_from", "pairs: min_score"]),
        ({"pairs": {"min_gap": 0.3}, "makers": []}, ["pairs: min_gap"]),
        ({"pairs": {"min_gap": 0.3}, "makers": ["published", "on_policy"]}, []),
        ({"stages": {"few": {"kind": "pairs", "min_score": 0.5}}, "arms": ["base", "sft", "sft+few+dpo"]},
         ["few: min_score"]),
        ({"stages": {"few": {"kind": "pairs", "order": "flipped"}}, "arms": ["base", "sft", "sft+few+dpo"]}, []),
    ],
)  # fmt: skip
def test_settings_of_pairs_that_no_maker_reads_are_said(
    tmp_path: Path, changes: dict[str, Any], refused: list[str]
) -> None:
    study, _ = load_study(str(write_spiked(tmp_path, Path("unused"), **changes)))
    assert [one.where for one in idle_pair_settings(study)] == refused


def test_a_task_of_labels_cannot_have_a_spike() -> None:
    study, base = load_study("five-tasks")
    entry = next(one for one in study.tasks if one.task == "text_classification")
    data = entry.data.model_copy(update={"spike": type(entry.data).model_validate(
        {"cases": 5, "spike": {"text": ITEM, "share": 0.7}}).spike})  # fmt: skip
    with pytest.raises(InputError, match=r"data\.spike: .* answered by labels"):
        read_task(entry.model_copy(update={"data": data}), study, base)
