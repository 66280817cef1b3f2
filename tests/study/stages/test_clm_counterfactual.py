"""Raw text of which sentences are learned beside their counterfactuals: what is learned, its control, key and plan."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch

import study_runs
from command_line import CommandLine
from preceptor.data import augmented
from preceptor.engine import Numerics
from preceptor.models import AdapterSettings, adapter_slots, blueprint, fingerprint, load_tokenizer
from preceptor.progress import quiet
from preceptor.study import make_study
from preceptor.study.cases import case_text
from preceptor.study.plan.forecast import stage_work
from preceptor.study.run.folder import RunFolder
from preceptor.study.stage_tree.tree import StageTree
from prepared_study import prepare_tiny
from tiny_study import write_study, write_table

CORPUS: dict[str, Any] = {"corpus": "letters.csv", "text": "letter", "group": "who", "counterfactual": "gender"}
COUNTS = ("sentences", "swapped", "without_word", "sex_bound", "ambiguous")
PATIENTS = 60


def letter(number: int) -> str:
    """Five sentences: two that have a counterfactual, and one of each kind that is left out."""
    he, his = ("He", "His") if number % 2 else ("She", "Her")
    bound = "He has a large prostate." if number % 2 else "She is pregnant."
    return f"{he} came on day {number}. {his} knee hurts! No fever.\n{bound} We found her sitting."


def write_letters(folder: Path) -> None:
    with (folder / "letters.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["who", "letter"])
        out.writerows([f"P{n:03}", letter(n)] for n in range(PATIENTS))


def clm_stage(folder: Path, tokenizer: Any, source: Any, **clm: Any) -> Any:
    """A tiny study whose only stage is `clm`, its cases, and what it learns and is called, with nothing trained."""
    write_letters(folder)
    study, prepared = prepare_tiny(folder, tokenizer, patients=PATIENTS, arms=["clm"], clm=clm)
    tree = StageTree(
        study,
        Numerics(threads=1),
        source,
        fingerprint(source),
        RunFolder(folder / "run"),
        lambda *_: quiet,
        base_folder=folder,
    )
    stage = study.stage_of("clm")
    assert stage is not None
    return study, prepared, tree._look_up(stage, prepared, 0)


def read(source: Any, part: list[Any]) -> list[str]:
    tokenizer = load_tokenizer(source)
    return [tokenizer.decode(one.answer, skip_special_tokens=True) for one in part]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any, tiny_source: Any) -> dict[Any, Any]:
    """Setting -> what the stage of letters learns under it."""
    folder = tmp_path_factory.mktemp("letters")
    changes = {name: CORPUS | {"counterfactual": name} for name in (None, "gender", "unchanged")}
    return {name: clm_stage(folder, tiny_tokenizer, tiny_source, **clm)[2] for name, clm in changes.items()}


def test_sentences_are_learned_beside_their_counterfactuals_and_others_are_counted(
    learned: dict[Any, Any], tiny_source: Any
) -> None:
    train, validation, counts = learned["gender"].data
    documents = counts["documents"] - counts["held_out_documents"]
    assert documents < counts["documents"] == PATIENTS
    assert {name: counts[name] for name in COUNTS} == {
        "sentences": 5 * documents,
        "swapped": 2 * documents,
        "without_word": documents,
        "sex_bound": documents,
        "ambiguous": documents,
    }
    assert len(train) + len(validation) == 4 * documents
    for part in (train, validation):
        texts = read(tiny_source, part)
        assert sum(one.startswith(("He ", "His ")) for one in texts) == len(texts) / 2
        assert {len(texts)} == {sum(one.startswith(("He ", "She ", "His ", "Her ")) for one in texts)}


def test_the_control_has_the_same_sentences_in_as_many_steps(learned: dict[Any, Any], tiny_source: Any) -> None:
    (train, validation, counts), (swapped, of_validation, told) = learned["unchanged"].data, learned["gender"].data
    assert counts == told
    assert (len(train), len(validation)) == (len(swapped), len(of_validation))
    for same, pair in ((train, swapped), (validation, of_validation)):
        assert same[::2] == same[1::2] == pair[::2]
        assert all(one != other for one, other in zip(same[1::2], pair[1::2], strict=True))


def test_patients_are_parted_as_without_it(learned: dict[Any, Any], tiny_source: Any) -> None:
    for plain, sentences in zip(learned[None].data[:2], learned["unchanged"].data[:2], strict=True):
        pairs, _ = augmented(read(tiny_source, plain))
        assert [one for pair in pairs for one in (pair[0], pair[0])] == read(tiny_source, sentences)


def test_each_value_and_each_model_has_a_key_and_none_is_as_before(
    learned: dict[Any, Any], tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any, tiny_encoder_folder: Path
) -> None:
    """P2-8: the paper's code keeps augmented ids under a name with neither tokenizer nor model in it."""
    plain = {name: value for name, value in CORPUS.items() if name != "counterfactual"}
    keys = {name: one.output.key for name, one in learned.items()}
    assert len({*keys.values()}) == 3
    _, _, before = clm_stage(tmp_path, tiny_tokenizer, tiny_source, **plain)
    assert before.output.key == keys[None]
    study, prepared, _ = clm_stage(tmp_path, tiny_tokenizer, tiny_source, **CORPUS)
    assert "counterfactual" not in make_study(study.model_dump() | {"clm": plain}, "here").model_dump()["clm"]
    tree = StageTree(
        study,
        Numerics(threads=1),
        tiny_source,
        "another model",
        RunFolder(tmp_path),
        lambda *_: quiet,
        base_folder=tmp_path,
    )
    stage = study.stage_of("clm")
    assert stage is not None
    assert tree._look_up(stage, prepared, 0).output.key != keys["gender"]


def test_without_a_corpus_the_training_cases_are_taken(tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any) -> None:
    task = {"prompt": "{note} Her own words. No others."}
    write_letters(tmp_path)
    study, prepared = prepare_tiny(
        tmp_path, tiny_tokenizer, patients=PATIENTS, arms=["clm"], task=task, clm={"counterfactual": "gender"}
    )
    tree = StageTree(
        study, Numerics(threads=1), tiny_source, fingerprint(tiny_source), RunFolder(tmp_path / "run"), lambda *_: quiet
    )
    stage = study.stage_of("clm")
    assert stage is not None
    train, validation, counts = tree._look_up(stage, prepared, 0).data
    splits = prepared.splits
    assert counts["swapped"] == len(splits.train) + len(splits.validation)
    assert read(tiny_source, train) == ["Her own words.", "His own words."] * len(splits.train)
    assert read(tiny_source, validation) == ["Her own words.", "His own words."] * len(splits.validation)
    assert "Her own words." in case_text(prepared.task, splits.test[0])


def test_a_plan_counts_about_the_tokens_that_are_learned(tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any) -> None:
    study, prepared, known = clm_stage(tmp_path, tiny_tokenizer, tiny_source, **CORPUS)
    model = blueprint(tiny_source, adapter_slots(AdapterSettings(rank=4)), torch.float32)
    stage = study.stage_of("clm")
    assert stage is not None
    work = stage_work(study, prepared, stage, model, tmp_path, shares=False)
    planned = sum(unit.repeats * unit.seen for unit in work if unit.kind == "train")
    train, _, counts = known.data
    kept = counts["documents"] / (counts["documents"] - counts["held_out_documents"])
    told = sum(len(one.prompt) + len(one.answer) for one in train) * kept
    assert told / 2 < planned < 3 * told


def test_an_arm_learns_and_its_report_says_from_what(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    write_letters(tmp_path)
    stages = {name: {"kind": "clm", **CORPUS, "counterfactual": name} for name in ("gender", "unchanged")}
    arms = ["gender", "unchanged"]
    run = study_runs.run(
        tmp_path, tiny_model_folder, tmp_path / "run", arms=arms, primary=[arms], stages=stages,
        clm={"learning_rate": 0.01, "epochs": 1},
    )  # fmt: skip
    assert run.results["failed"] == []
    steps = [cell["cost"]["optimizer_steps"] for cell in run.results["cells"]]
    assert steps[0] == steps[1] > 0
    for file in run.folder.glob("stages/*/ledger.json"):
        assert json.loads(file.read_text())["swapped"] > PATIENTS
    assert preceptor.run("report", run.folder).code == 0
    page = (run.folder / "report.html").read_text()
    assert "each also with the other sex" in page
    assert "each twice and unchanged, of a corpus without held-out patients" in page


@pytest.mark.parametrize("corpus", [True, False])
def test_check_finds_texts_without_a_counterfactual(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, corpus: bool
) -> None:
    write_table(tmp_path / "cases.csv", patients=30)
    named = {"corpus": "cases.csv", "text": "note", "group": "patient"} if corpus else {}
    study = write_study(tmp_path, tiny_model_folder, arms=["clm"], clm={**named, "counterfactual": "gender"})
    done = preceptor.run("check", study)
    assert "no sentence has a counterfactual" in " ".join((done.errors + done.shown).split())
    assert done.code == (2 if corpus else 0)


def test_other_values_are_refused(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> None:
    study = write_study(tmp_path, tiny_model_folder, arms=["clm"], clm={"counterfactual": "race"})
    done = preceptor.run("check", study)
    assert done.code == 2
    assert "counterfactual" in done.errors
