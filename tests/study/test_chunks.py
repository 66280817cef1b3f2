"""Cases longer than an encoder's positions: read in chunks, or cut and counted. On a tiny random BERT, in float32."""

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch

from command_line import CommandLine
from long_cases import POSITIONS, short_encoder, write_long_study
from preceptor.cli import main
from preceptor.engine import Numerics
from preceptor.models import HEAD, Chunks, SlotSettings, find_model, load_tokenizer, start_policy
from preceptor.study import load_study, machine, plan_study, read_planned
from preceptor.study.answers.head import label_probabilities
from preceptor.study.cases import Prepared, read_by, read_task
from preceptor.study.finished.arm import held_out, open_arm
from preceptor.study.other_models import find_other_models

CHUNKED: dict[str, Any] = {"type": "head", "pool": "mean", "chunk_length": POSITIONS}
LORA: dict[str, Any] = {"type": "LORA", "r": 4, "target_modules": "all-linear"}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_encoder(tmp_path_factory.mktemp("encoder") / "short-bert")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> tuple[Path, Path]:
    """The study file and the run folder, by `preceptor study`."""
    folder = tmp_path_factory.mktemp("long")
    study = write_long_study(folder / "study", encoder)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", ["preceptor", "study", str(study), "--output-dir", str(folder / "run")])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    return study, folder / "run"


@pytest.mark.slow_recipe
def test_what_stands_in_the_middle_is_learnt_in_chunks_and_not_where_it_is_cut_off(done: tuple[Path, Path]) -> None:
    results = json.loads((done[1] / "results.json").read_text())
    value = {cell["arm"]: cell["value"] for cell in results["cells"]}
    assert value["chunked"] > 0.9
    assert value["cut"] < 0.8, "of 20 cases, guessing has so many less than once in a hundred times"


def test_the_report_says_how_each_arm_read_long_cases(done: tuple[Path, Path]) -> None:
    page = " ".join((done[1] / "report.html").read_text().split())
    said = f"Cases of more than {POSITIONS} tokens were read in chunks of at most so many"
    assert page.count(said) == 1, "of the arm `chunked` and not of `cut`"
    assert "neighbours of which share 6;" in page


def test_an_arm_is_asked_again_with_the_cases_it_read(done: tuple[Path, Path]) -> None:
    whole, cut = (held_out(open_arm(done[1], "urgency", arm, heads=True)).test for arm in ("chunked", "cut"))
    assert min(map(len, whole)) > POSITIONS
    assert max(map(len, cut)) <= POSITIONS


def test_the_plan_counts_chunks_as_the_ledger_does(done: tuple[Path, Path]) -> None:
    study, base = load_study(str(done[0]))
    planned = read_planned(study, base)
    plan = plan_study(planned, machine(None, None, None))
    trained, answers = (
        next(one for one in plan.needs if one.what == what) for what in ("Classifier", "answers of chunked")
    )
    pieces = [piece for prompt in planned.tasks[0].test for piece in Chunks(POSITIONS, 6).of(prompt)]
    assert answers.seen == sum(map(len, pieces)) > sum(map(len, planned.tasks[0].test))
    policy = open_arm(done[1], "urgency", "chunked", heads=True).folder
    assert policy is not None
    ledger = json.loads((policy / "ledger.json").read_text())
    assert trained.seen == ledger["cost"]["tokens_seen"]
    assert trained.tokens == pytest.approx(ledger["cost"]["tokens_computed"], rel=0.1)
    assert trained.seconds is not None


def test_the_same_command_trains_nothing_again(done: tuple[Path, Path], preceptor: CommandLine) -> None:
    ledgers = {one: one.stat().st_mtime_ns for one in done[1].glob("stages/*/ledger.json")}
    assert preceptor.run("study", done[0], "--output-dir", done[1]).code == 0
    assert {one: one.stat().st_mtime_ns for one in done[1].glob("stages/*/ledger.json")} == ledgers


def test_cases_that_are_cut_to_the_positions_are_counted_and_the_remedy_named(
    done: tuple[Path, Path], preceptor: CommandLine
) -> None:
    found = preceptor.run("check", done[0])
    assert found.code == 0
    said = f"model short: 80 of 80 cases are cut to {POSITIONS} tokens, all that it has positions for"
    assert said in found.shown
    assert "give each head on it `chunk_length` (under `slots`)" in found.shown
    assert found.shown.count("has positions for") == 1, "nothing of the model that reads in chunks"


def test_they_are_counted_as_a_view_shows_them(tmp_path: Path, encoder: Path, preceptor: CommandLine) -> None:
    data = {"path": "cases.csv", "target": "urgency", "group": "patient"}
    task = {"task": "urgency.task.yaml", "data": data, "views": {"note": "Note: {note}"}}
    arms = ["chunked", {"name": "shown", "stages": ["cut"], "view": "note"}]
    study = write_long_study(tmp_path, encoder, tasks=[task], arms=arms, primary=[])
    found = preceptor.run("check", study)
    assert found.code == 0, found.errors
    assert "view note, model short: 80 of 80 cases are cut" in found.shown
    assert found.shown.count("has positions for") == 1


def test_vectors_in_front_of_a_case_take_positions_too(tmp_path: Path, encoder: Path) -> None:
    """A case cut to all the positions ended in an error of torch's."""
    slots: dict[str, Any] = {"soft": {"type": "PROMPT_TUNING", "num_virtual_tokens": 12}, "head": {"type": "head"}}
    stages = {"softly": {"kind": "classify", "model": "short"}}
    settings: dict[str, Any] = {"slots": slots, "stages": stages, "arms": ["softly", "tfidf"], "adapter": {"rank": 4}}
    study, base = load_study(str(write_long_study(tmp_path, encoder, **settings, primary=[])))
    (model,) = find_other_models(study, base).here.values()
    read = read_by(read_task(study.tasks[0], study, base), model)
    assert isinstance(read, Prepared)
    longest = max(map(len, read.test))
    assert 24 < longest <= POSITIONS - 12
    prompt = next(one for one in read.test if len(one) == longest)
    started = {
        name: SlotSettings(type=HEAD, outputs=2) if name == "head" else slot for name, slot in study.slots.items()
    }
    policy = start_policy(model.source, None, started, ["soft", "head"], seed=0, dtype=torch.float32)
    assert label_probabilities(policy, [prompt], Numerics(threads=1)).shape == (1, 2)


def test_where_one_arm_of_a_model_reads_no_chunks_its_cases_are_cut_for_all(
    tmp_path: Path, encoder: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    stages = {arm: {"kind": "classify", "model": "short", "train": [arm]} for arm in ("whole", "part")}
    both = {"model": str(tiny_model_folder), "stages": stages, "primary": []}
    for arms, cut in ((["whole"], False), (["whole", "part"], True)):
        study = write_long_study(tmp_path, encoder, **both, arms=[*arms, "tfidf"])
        found = preceptor.run("check", study)
        assert found.code == 0
        assert ("80 of 80 cases are cut" in found.shown) is cut


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (
            {"slots": {"part": {"type": "head"}}, "arms": ["classify", "tfidf"]},
            f"max_length: 128 tokens are asked for, and the context length of short-bert is {POSITIONS}. Set it to "
            f"{POSITIONS} or less, give each head on it `chunk_length` (under `slots`), or name a model",
        ),
        (
            {"slots": {"whole": CHUNKED | {"chunk_length": POSITIONS + 1}}, "arms": ["classify", "tfidf"]},
            f"slot whole: chunk_length: {POSITIONS + 1} tokens are asked for, and short-bert has {POSITIONS} positions."
            f" Set it to {POSITIONS} or less.",
        ),
        (
            {
                "slots": {"soft": {"type": "PROMPT_TUNING", "num_virtual_tokens": 4}, "whole": CHUNKED},
                "adapter": {"rank": 4},
                "arms": ["classify", "tfidf"],
            },
            f"slot whole: chunk_length: {POSITIONS} tokens are asked for beside 4 vectors in front of them, and "
            f"short-bert has {POSITIONS} positions. Set it to {POSITIONS - 4} or less.",
        ),
    ],
)
def test_what_an_encoder_cannot_read_is_refused(
    tmp_path: Path, encoder: Path, preceptor: CommandLine, changes: dict[str, Any], what: str
) -> None:
    study = write_long_study(tmp_path, encoder, **{"stages": {}, "models": {}, "primary": []} | changes)
    found = preceptor.run("check", study)
    assert found.code == 2
    assert what in found.errors


def test_a_causal_model_reads_no_chunks(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> None:
    settings: dict[str, Any] = {"slots": {"one": LORA, "head": CHUNKED}, "adapter": {"rank": 4}}
    study = write_long_study(
        tmp_path, tiny_model_folder, stages={}, models={}, arms=["classify", "tfidf"], primary=[], **settings
    )
    found = preceptor.run("check", study)
    assert found.code == 2
    assert "slot head: chunk_length: chunks are for encoders" in found.errors


def test_a_tokenizer_with_no_token_behind_a_text_is_refused(tmp_path: Path, preceptor: CommandLine) -> None:
    encoder = short_encoder(tmp_path / "open-end")
    file = encoder / "tokenizer.json"
    raw = json.loads(file.read_text())
    (first,) = load_tokenizer(find_model(str(encoder))).convert_tokens_to_ids(["[CLS]"])
    raw["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [first], "tokens": ["[CLS]"]}},
    }
    file.write_text(json.dumps(raw))
    slots = {"whole": CHUNKED}
    study = write_long_study(
        tmp_path / "study", encoder, slots=slots, stages={}, models={}, arms=["classify", "tfidf"], primary=[]
    )
    found = preceptor.run("check", study)
    assert found.code == 2
    assert "the tokenizer of open-end does not put one token in front of a text and one behind it" in found.errors


def test_settings_that_do_nothing_are_said(tmp_path: Path, encoder: Path, preceptor: CommandLine) -> None:
    settings: dict[str, Any] = {"models": {}, "arms": ["chunked", "tfidf"], "primary": [], "max_length": POSITIONS}
    slots = {"whole": CHUNKED, "spare": {"type": "head"}}
    stages = {"chunked": {"kind": "classify", "train": ["whole"]}}
    study = write_long_study(tmp_path, encoder, slots=slots, stages=stages, **settings)
    found = preceptor.run("check", study)
    assert found.code == 0, found.errors
    said = " ".join(found.shown.split())
    assert f"slot whole: chunk_length: cases are cut to {POSITIONS} tokens (`max_length`), so each is one chunk" in said
    assert "slot spare: no stage of an arm asks for it, so it does nothing" in said
    read = preceptor.run("check", write_long_study(tmp_path, encoder, stages=stages, **settings | {"max_length": 128}))
    assert "one chunk" not in " ".join(read.shown.split())
