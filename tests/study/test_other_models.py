"""Several models in one study: an encoder beside a causal model reads the same cases and is compared. In float32."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import BertConfig

import study_runs
from command_line import CommandLine
from preceptor.interface.results import Results
from preceptor.models import ModelSource, load_tokenizer
from preceptor.ship import export
from preceptor.study import load_study, machine, plan_study, read_planned
from preceptor.study.cases import prepare, read_task
from preceptor.study.finished.arm import held_out, open_arm
from preceptor.study.other_models import OtherModel, OtherModels
from study_runs import Run
from tiny_model import build_tiny_encoder
from tiny_study import STUDY, TASK, write_study

SMALL = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
FAST: dict[str, Any] = {"epochs": 1, "learning_rate": 0.01}


def beside(encoder: Path, **changes: Any) -> dict[str, Any]:
    """Settings of a study with a classifier on the encoder."""
    settings = {
        "arms": ["base", "sft", "mini-head", "tfidf"],
        "models": {"mini": str(encoder)},
        "stages": {"mini-head": {"kind": "classify", "model": "mini"}},
        "primary": [["sft", "base"], ["mini-head", "sft"]],
        "classify": FAST,
        "sft": STUDY["sft"] | {"epochs": 1},
    }
    return settings | changes


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path, tiny_encoder_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("two-models")
    return study_runs.run(folder, tiny_model_folder, folder / "run", **beside(tiny_encoder_folder))


def cells(done: Run) -> dict[str, dict[str, Any]]:
    return {one["arm"]: one for one in done.results["cells"]}


def ledgers(done: Run) -> dict[str, tuple[Path, dict[str, Any]]]:
    found = {one: json.loads(one.read_text()) for one in done.folder.glob("stages/*/ledger.json")}
    return {ledger["kind"]: (path, ledger) for path, ledger in found.items()}


def test_each_arm_is_trained_on_its_own_model(done: Run, tiny_encoder_folder: Path) -> None:
    assert ledgers(done).keys() == {"sft", "classify"}
    path, ledger = ledgers(done)["classify"]
    assert ledger["learning"]["head"] == 2 * 48 + 2
    assert cells(done)["mini-head"]["own_model"] == "mini"
    assert done.results["study"]["models"] == {"mini": {"name": str(tiny_encoder_folder), "title": "tiny-bert"}}
    assert {cells(done)[arm]["own_model"] for arm in ("base", "sft", "tfidf")} == {None}
    config = json.loads((path.parent / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-bert"
    assert config["task_type"] == "FEATURE_EXTRACTION"
    (folder,) = done.folder.glob("cells/*/tiny-bert/mini-head/seed-0")
    assert (folder / "predictions.jsonl").is_file()


def test_what_using_an_arm_takes_stands_beside_its_training(
    done: Run, tiny_model_folder: Path, tiny_encoder_folder: Path
) -> None:
    def size(*folders: Path) -> int:
        return sum(file.stat().st_size for folder in folders for file in folder.rglob("*.safetensors"))

    found, stages = cells(done), {kind: path.parent for kind, (path, _) in ledgers(done).items()}
    assert found["base"]["use"]["model_bytes"] == size(tiny_model_folder)
    assert found["sft"]["use"]["model_bytes"] == size(tiny_model_folder, stages["sft"])
    assert found["mini-head"]["use"]["model_bytes"] == size(tiny_encoder_folder, stages["classify"])
    assert found["tfidf"]["use"]["model_bytes"] is None
    for one in found.values():
        assert one["use"]["seconds"] == pytest.approx(1000 * one["evaluation_seconds"] / one["n"])
    frame = Results.load(done.folder).to_frame().set_index("arm")
    assert frame.loc["sft", "model_bytes"] == found["sft"]["use"]["model_bytes"]
    assert frame.loc["tfidf", "seconds_per_1000"] == found["tfidf"]["use"]["seconds"]


def test_arms_of_two_models_are_paired_case_by_case(done: Run) -> None:
    (found,) = [one for one in done.results["contrasts"] if (one["a"], one["b"]) == ("mini-head", "sft")]
    assert found["family"] == "primary"
    assert found["patients"] == cells(done)["sft"]["patients"]
    assert len({one["model"] for one in done.results["contrasts"]}) == 1
    assert len(done.results["conclusions"]) == 1


def test_done_again_nothing_is_trained(done: Run, tiny_encoder_folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path, _ in ledgers(done).values()}
    again = done.again(**beside(tiny_encoder_folder))
    assert again.results["cells"] == done.results["cells"]
    assert {path: path.stat().st_mtime_ns for path, _ in ledgers(done).values()} == before


def test_the_models_beside_it_are_no_part_of_a_stages_key(
    done: Run, tmp_path: Path, tiny_model_folder: Path, tiny_encoder_folder: Path
) -> None:
    alone = study_runs.run(
        tmp_path, tiny_model_folder, tmp_path / "run", arms=["sft"], sft=beside(tiny_encoder_folder)["sft"]
    )
    assert ledgers(alone)["sft"][1]["key"] == ledgers(done)["sft"][1]["key"]
    other = build_tiny_encoder(tmp_path / "other", seed=1)
    changed = study_runs.run(
        tmp_path / "b", tiny_model_folder, tmp_path / "c", **beside(other, arms=["mini-head"], primary=[])
    )
    assert ledgers(changed)["classify"][1]["key"] != ledgers(done)["classify"][1]["key"]


def test_its_arm_is_exported_and_its_cases_read_as_it_read_them(
    done: Run, tmp_path: Path, encoder_source: ModelSource
) -> None:
    from rich.console import Console

    arm = open_arm(done.folder, "urgency", "mini-head", heads=True)
    assert arm.source.location == encoder_source.location
    cls = load_tokenizer(encoder_source).cls_token_id
    assert {prompt[0] for prompt in held_out(arm).test} == {cls}
    exported = export(arm, "merged", tmp_path / "out", card="", console=Console(quiet=True))
    assert exported.parity is not None
    assert exported.parity.same == exported.parity.total > 0


def test_a_report_names_both_models(done: Run, preceptor: CommandLine) -> None:
    assert preceptor.run("report", done.folder).code == 0
    page = (done.folder / "report.html").read_text()
    assert "mini-head" in page
    assert "tiny-bert" in page
    assert "Weights to load" in page


def test_a_plan_counts_each_stage_on_its_model(done: Run) -> None:
    study, base = load_study(str(done.study_file))
    needs = {one.what: one for one in plan_study(read_planned(study, base), machine(None, None, None)).needs}
    assert needs["Classifier"].tokens > 0
    assert needs["Classifier"].seconds is not None
    assert needs["Classifier"].flops != needs["SFT"].flops
    alone, _ = load_study(str(done.study_file), ["arms=[mini-head]", "primary=[]"])
    assert read_planned(alone, base).others.keys() == {"mini"}


def test_check_is_ready(done: Run, preceptor: CommandLine) -> None:
    assert preceptor.run("check", done.study_file).code == 0


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"models": {}}, "stages: mini-head: there is no model mini; name it in `models`"),
        (
            {
                "stages": {
                    "first": {"kind": "sft"},
                    "mini-head": {"kind": "classify", "model": "mini", "after": "first"},
                }
            },
            "mini-head is of the model mini, and the stages before it are of the study's model; an arm has one model",
        ),
        ({"models": {"mini": "no/such/folder"}}, "model no/such/folder: "),
        (
            {"stages": {"mini-head": {"kind": "sft", "model": "mini"}}},
            "arms: mini-head: it writes text, and tiny-bert is an encoder",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path,
    tiny_model_folder: Path,
    tiny_encoder_folder: Path,
    preceptor: CommandLine,
    changes: dict[str, Any],
    what: str,
) -> None:
    study = write_study(tmp_path, tiny_model_folder, **beside(tiny_encoder_folder) | changes)
    done = preceptor.run("check", study)
    assert done.code == 2
    assert what in done.errors


def test_a_case_is_cut_for_a_model_of_fewer_positions_and_refused_where_nothing_may_be_cut(
    tmp_path: Path,
    tiny_model_folder: Path,
    tiny_tokenizer: Any,
    encoder_source: ModelSource,
    tiny_encoder_folder: Path,
    preceptor: CommandLine,
) -> None:
    study, base = load_study(str(write_study(tmp_path, tiny_model_folder, **beside(tiny_encoder_folder))))
    cases = read_task(study.tasks[0], study, base)
    tokenizer = load_tokenizer(encoder_source)
    whole, short = (OtherModel(encoder_source, tokenizer, length, "hash") for length in (256, 24))
    read = prepare(cases, study, tiny_tokenizer, OtherModels({"mini": whole, "short": short}))
    assert max(map(len, read.read_by("mini").test)) > 24
    assert max(map(len, read.read_by("short").test)) <= 24
    assert len(read.read_by("short").test) == len(read.test)
    assert read.read_by(None) is read

    few = build_tiny_encoder(tmp_path / "few", config=BertConfig(**SMALL, max_position_embeddings=12))
    task = {name: value for name, value in TASK.items() if name != "cut"}
    (tmp_path / "uncut").mkdir()
    uncut = write_study(tmp_path / "uncut", tiny_model_folder, **beside(few))

    (tmp_path / "uncut" / "urgency.task.yaml").write_text(yaml.safe_dump(task))
    refused = preceptor.run("check", uncut)
    assert refused.code == 2
    assert "model mini: few reads 12 tokens, and some case does not fit even where it is cut" in refused.errors


WORD = {"template": "{word}"}
TWICE = {"template": "{note} {note}"}


def shown(folder: Path, model: Path, positions: int, **views: Any) -> Path:
    """A study whose classifier is an encoder of few positions that is shown a view; nothing may be cut."""
    few = build_tiny_encoder(folder / "few", config=BertConfig(**SMALL, max_position_embeddings=positions))
    arms = ["tfidf", *({"name": f"head-{view}", "stages": ["mini-head"], "view": view} for view in views)]
    data = {"path": "cases.csv", "target": "urgency", "group": "patient"}
    fields = {"word": {"random_words": "note", "count": 1}}
    tasks = [{"task": "urgency.task.yaml", "data": data, "fields": fields, "views": views}]
    file = write_study(folder, model, **beside(few, arms=arms, primary=[], tasks=tasks))
    task = {name: value for name, value in TASK.items() if name != "cut"}
    (folder / "urgency.task.yaml").write_text(yaml.safe_dump(task))
    return file


def test_cases_are_looked_at_as_the_arm_is_shown_them(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    """A view that fits where the note does not, which is then run; and one that does not where it does."""
    short = shown(tmp_path / "short", tiny_model_folder, 24, word=WORD)
    checked = preceptor.run("check", short)
    assert checked.code == 0, checked.errors
    done = preceptor.run("study", short, "--output-dir", tmp_path / "run")
    assert done.code == 0, done.errors
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert {one["arm"] for one in results["cells"]} == {"tfidf", "head-word"}
    long = shown(tmp_path / "long", tiny_model_folder, 70, word=WORD, twice=TWICE)
    refused = preceptor.run("check", long)
    assert refused.code == 2
    assert "task urgency, view twice, model mini: few reads 70 tokens, and some case does not fit" in refused.errors
    assert "Name a field under `cut:` of view twice" in refused.errors
    assert refused.errors.count("some case does not fit") == 1


def test_a_model_that_no_arm_asks_for_is_told(
    tmp_path: Path, tiny_model_folder: Path, tiny_encoder_folder: Path, preceptor: CommandLine
) -> None:
    study = write_study(tmp_path, tiny_model_folder, **beside(tiny_encoder_folder))
    said = "models: mini: no stage of an arm asks for it, so it does nothing."
    assert said not in preceptor.run("check", study).shown
    without = preceptor.run("check", study, "--set", "arms=[base,tfidf]", "--set", "primary=[]")
    assert without.code == 0, without.errors
    assert f"warning {said}" in without.shown
