"""An LSTM as an arm: made from the study file, trained, resumed after a kill, planned, exported and served; float32."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModel

import test_resume
from command_line import CommandLine
from html_page import Page
from preceptor.errors import InputError
from preceptor.report import write_report
from preceptor.ship import export
from preceptor.ship.serving._serve import answerer, load
from preceptor.study import held_out, load_study, machine, open_arm, plan_study, read_planned
from preceptor.study.spec.stacks import slots_of
from ship.slot_runs import QUIET, by_hand, checked, finished, measured
from tiny_study import write_study

LEARN: dict[str, Any] = {"kind": "classify", "model": "small", "epochs": 6, "patience": 6, "learning_rate": 0.02}
SHORT_FORMS = "short,long\nCP,chest pain\nCP,ear wax\nST,sore throat\nST,itchy rash\n"
ARMS = [
    {"name": "plain", "stages": ["plain"], "against": []},
    {"name": "moved", "stages": ["meanings", "moved"], "against": ["plain"]},
]


def settings(encoder: Path) -> dict[str, Any]:
    return {
        "arms": ARMS,
        "primary": [["moved", "plain"]],
        "models": {"small": {"family": "lstm", "words": str(encoder), "width": 16, "layers": 1}},
        "stages": {
            "plain": LEARN,
            "meanings": {"kind": "senses", "model": "small", "table": "short_forms.csv", "epochs": 2},
            "moved": LEARN | {"after": "meanings"},
        },
        "senses": {"field": "note", "probability": 1.0, "least": 2, "learning_rate": 0.02},
        "numerics": {"dtype": "bfloat16", "threads": 1},
    }


def forms(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "short_forms.csv").write_text(SHORT_FORMS)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path, tiny_encoder_folder: Path) -> Path:
    """Read it, do not change it."""
    folder = tmp_path_factory.mktemp("lstm")
    forms(folder / "own")
    done = finished(folder, tiny_model_folder, **settings(tiny_encoder_folder))
    write_report(done)
    return done


def cells(run: Path) -> dict[str, dict[str, Any]]:
    return {one["arm"]: one for one in json.loads((run / "results.json").read_text())["cells"]}


@pytest.mark.slow_recipe
def test_it_learns_labels_and_senses(run: Path) -> None:
    found = cells(run)
    assert found["plain"]["value"] > 0.7
    assert found["plain"]["cost"]["flops"] > 0
    assert found["plain"]["learning"]["classify"].keys() == {"backbone", "head"}
    assert found["moved"]["senses"]["cases"]["train"] > 0
    assert found["moved"]["cost"]["flops"] > found["plain"]["cost"]["flops"]
    assert "small (lstm, 1 x 16, on the word vectors of tiny-bert)" in Page((run / "report.html").read_text()).text


def test_it_is_planned_and_checked(
    tmp_path: Path, tiny_model_folder: Path, tiny_encoder_folder: Path, preceptor: CommandLine
) -> None:
    study = write_study(forms(tmp_path), tiny_model_folder, **settings(tiny_encoder_folder))
    plan = plan_study(read_planned(*load_study(str(study))), machine(None, None, None), timed=False)
    training, answers = (next(one for one in plan.needs if what in one.what) for what in ("Classifier", "of plain"))
    assert 0 < answers.flops < training.flops
    assert plan.peak > 0
    checked = preceptor.run("check", study)
    assert checked.code == 0, checked
    assert "no training case" not in " ".join(checked.shown.split()), "words are no codes"


def test_it_leaves_as_one_folder_with_its_words(run: Path, tmp_path: Path) -> None:
    """As safetensors and JSON: the answers are those of the study by nothing but the files."""
    arm = open_arm(run, "urgency", "plain", heads=True)
    assert set(measured(arm)) == {"urgent", "routine"}
    done = checked(arm, "merged", tmp_path / "out")
    assert done.rounding is not None
    assert done.rounding.weight_error == 0
    assert done.head_beside is not None
    assert "no class for classification" in done.head_beside
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files >= {"config.json", "model.safetensors", "head.safetensors", "head.json", "tokenizer.json"}
    written = json.loads((tmp_path / "out" / "head.json").read_text())
    assert written == {"labels": ["urgent", "routine"], "state": "weighted mean of all tokens", "pool": "attention"}
    assert by_hand(arm, tmp_path / "out", AutoModel.from_pretrained(tmp_path / "out")) == measured(arm)
    assert "torch.nn.LSTM(48, 16, 1, batch_first=True, bidirectional=True)" in (
        (tmp_path / "out" / "README.md").read_text()
    )
    for to in ("adapter", "gguf"):
        with pytest.raises(InputError, match="Take `--to merged`"):
            export(arm, to, tmp_path / to, console=QUIET)


def test_it_is_served_as_it_was_measured(run: Path) -> None:
    arm = open_arm(run, "urgency", "moved", heads=True)
    prepared = held_out(arm)
    replies = answerer(load(arm))(prepared.shown, prepared.test)
    assert [one.text for one in replies] == measured(arm)
    for reply, said in zip(replies, arm.predictions, strict=True):
        assert said.scores is not None
        assert reply.scores == pytest.approx(said.scores, abs=1e-5)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        ({"family": "lstm"}, "models.small.words: this setting is missing"),
        ({"family": "lstm", "words": "nowhere/at/all"}, "there is no such folder"),
        ({"family": "lstm", "words": "{causal}"}, "models: small: words"),
        ({"family": "lstm", "words": "{encoder}", "layers": 0}, "models.small.layers"),
        ({"family": "lstm", "words": "{encoder}", "depth": 2}, "models.small.depth: there is no such setting"),
    ],
)
def test_what_cannot_be_made_is_refused(
    tmp_path: Path,
    tiny_model_folder: Path,
    tiny_encoder_folder: Path,
    preceptor: CommandLine,
    net: dict[str, Any],
    said: str,
) -> None:
    places = {"{causal}": str(tiny_model_folder), "{encoder}": str(tiny_encoder_folder)}
    small = {key: places.get(str(value), value) for key, value in net.items()}
    whole = settings(tiny_encoder_folder) | {"models": {"small": small}}
    checked = preceptor.run("check", write_study(forms(tmp_path), tiny_model_folder, **whole))
    assert checked.code == 2, checked
    assert said in checked.errors


def test_the_built_in_study_has_arms_of_it() -> None:
    study, _ = load_study("abbreviations")
    for arm in ("lstm", "senses+lstm", "shuffled-senses+lstm"):
        last = study.stage_of(arm)
        assert last is not None
        assert study.models_of(arm) == ("lstm",)
        assert slots_of(study, last)[1] == ("backbone", "head")


@pytest.mark.slow_recipe
def test_killed_while_it_trains_it_ends_with_the_same_bytes(
    tmp_path: Path, tiny_model_folder: Path, tiny_encoder_folder: Path
) -> None:
    study = write_study(forms(tmp_path / "own"), tiny_model_folder, **settings(tiny_encoder_folder))
    patterns = ("cells/**/predictions.jsonl", "stages/*/model/*", "stages/*/slots/*/*", "models/small/*")
    moments = (test_resume.in_sft, test_resume.saving)
    test_resume.killed_and_alone(study, tmp_path, moments, patterns)
