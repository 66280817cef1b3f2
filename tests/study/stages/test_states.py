"""A small net learns toward the states of a language model: what is kept, what is learned, and what is left alone."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

import small_nets
from command_line import CommandLine
from preceptor.engine import Numerics, sequence_states
from preceptor.models import ModelSource, find_model, heads_of, load_policy, load_tokenizer
from preceptor.study import load_study
from preceptor.study.answers.head import label_probabilities
from preceptor.study.cases import prepare, read_task
from preceptor.study.made_models import kept_models, with_made_models
from preceptor.study.other_models import OtherModels, stages_on
from preceptor.study.stages._projector import exchanged

FAST: dict[str, Any] = {"kind": "classify", "model": "small", "epochs": 3, "learning_rate": 0.01, "batch_size": 8}
STAGES: dict[str, Any] = {
    "teacher": {"kind": "classify", "epochs": 1, "learning_rate": 0.01, "batch_size": 16},
    "taught": {"kind": "states", "after": "teacher"},
    "student": FAST,
    "kd": FAST | {"toward": {"states": "taught", "weight": 0.4}},
    "shuffled": FAST | {"toward": {"states": "taught", "weight": 0.4, "permute": True}},
}
STUDENTS = [
    {"name": name, "stages": [name], "answer": "head", "view": "codes"} for name in ("student", "kd", "shuffled")
]
STUDY: dict[str, Any] = {
    "name": "distilled",
    "arms": ["teacher", *STUDENTS],
    "models": {"small": {"family": "codes", "width": 16}},
    "stages": STAGES,
    "tasks": [
        {
            "task": "medication",
            "data": {"cases": 40, "seed": 5},
            "views": {"codes": {"template": "{visits}", "cut": "visits"}},
        }
    ],
    "adapter": {"rank": 2, "alpha": 4, "target_modules": ["q_proj"]},
    "max_length": 1024,
    "numerics": {"dtype": "float32", "threads": 1},
}


write = partial(small_nets.write, STUDY)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """The teacher alone, then everything; trap 14: the teacher is what it was, to the bit."""
    folder = tmp_path_factory.mktemp("distilled")
    small_nets.run(write(folder, tiny_model_folder, arms=["teacher"]), folder / "run")
    (teacher,) = (folder / "run" / "stages").iterdir()
    before = contents(teacher)
    small_nets.run(write(folder, tiny_model_folder), folder / "run")
    assert contents(teacher) == before
    return folder / "run"


def cells(run: Path) -> dict[str, dict[str, Any]]:
    return {one["arm"]: one for one in json.loads((run / "results.json").read_text())["cells"]}


def kept(run: Path) -> torch.Tensor:
    (file,) = run.glob("stages/*/states.safetensors")
    assert file.stat().st_mode & 0o077 == 0
    return load_file(file)["cases"]


@pytest.mark.slow_recipe
def test_what_is_kept_is_what_the_teacher_s_head_reads_of_each_training_case(
    done: Path, tiny_source: ModelSource
) -> None:
    study, base = load_study(str(done.parent / "study.yaml"))
    prepared = prepare(read_task(study.tasks[0], study, base), study, load_tokenizer(tiny_source))
    policy = load_policy(tiny_source, done / cells(done)["teacher"]["policy"], dtype=torch.float32)
    (head,) = heads_of(policy.model).values()
    states = kept(done)
    assert len(states) == len(prepared.train)
    with torch.no_grad():
        for number in (0, 7, len(states) - 1):
            alone = sequence_states(policy.model, [prepared.train[number].prompt], head, share=False)
            torch.testing.assert_close(states[number], alone[0], atol=1e-5, rtol=0)


def test_it_comes_near_the_states_and_is_chosen_by_labels_alone(done: Path) -> None:
    history = [ledger["history"] for ledger in ledgers(done, "kd")]
    near = [row["toward"] for row in history[0] if "toward" in row]
    assert sum(near[-3:]) < sum(near[:3]) / 2
    assert not any("eval_toward" in row for row in history[0])


def ledgers(run: Path, arm: str) -> list[dict[str, Any]]:
    return [json.loads((run / cells(run)[arm]["policy"] / "ledger.json").read_text())]


def test_it_answers_without_the_projector(done: Path) -> None:
    """The same tensors are saved as of a student without a teacher, and these alone give the scores of its answers."""
    tensors = {}
    for arm in ("student", "kd", "shuffled"):
        folder = done / cells(done)[arm]["policy"]
        files = sorted(folder.rglob("*.safetensors"))
        tensors[arm] = {f"{file.name} {name}": one for file in files for name, one in load_file(file).items()}
    assert tensors["student"].keys() == tensors["kd"].keys()
    assert not torch.equal(
        tensors["kd"]["model.safetensors state.weight"], tensors["shuffled"]["model.safetensors state.weight"]
    )
    study, base = load_study(str(done.parent / "study.yaml"))
    cases = read_task(study.tasks[0], study, base)
    small = kept_models(study, done / "models")["small"]
    others = with_made_models(OtherModels(), study, [cases], done / "models", find_model)
    prepared = prepare(cases, study, small.tokenizer, others).seen("codes").read_by("small")
    policy = load_policy(small.source, done / cells(done)["kd"]["policy"], dtype=torch.float32)
    likely = label_probabilities(policy, prepared.test, Numerics(threads=1), several=True)
    file = done / cells(done)["kd"]["predictions"]["path"]
    said = [json.loads(line)["scores"] for line in file.read_text().splitlines()]
    for row, scores in zip(likely.tolist(), said, strict=True):
        assert [scores[label] for label in prepared.task.set_labels] == pytest.approx(row, abs=1e-5)


def test_its_cost_has_the_teacher_s_and_that_of_the_states_and_its_use_has_not(done: Path) -> None:
    of, made = cells(done), kept(done)
    assert len(made)
    assert of["kd"]["cost"]["flops"] > of["teacher"]["cost"]["flops"] + of["student"]["cost"]["flops"]
    assert of["kd"]["use"]["model_bytes"] == of["student"]["use"]["model_bytes"]
    assert len(list(done.glob("stages/*/ledger.json"))) == 5, "teacher, its states, and three students"


def test_a_stage_counts_on_its_own_model_alone(tmp_path: Path, tiny_model_folder: Path) -> None:
    study, _ = load_study(str(write(tmp_path, tiny_model_folder, arms=STUDENTS)))
    assert {one.name for one in stages_on(study, "small")} == {"student", "kd", "shuffled"}
    assert {one.name for one in stages_on(study, None)} == {"teacher", "taught"}


@pytest.mark.slow_recipe
def test_a_teacher_of_a_model_that_no_arm_has_is_trained_for_its_student(
    tmp_path: Path, tiny_model_folder: Path, tiny_encoder_folder: Path
) -> None:
    teacher = STAGES["teacher"] | {"model": "mini"}
    changes = {
        "arms": STUDENTS[1:2],
        "models": STUDY["models"] | {"mini": str(tiny_encoder_folder)},
        "stages": STAGES | {"teacher": teacher},
        "adapter": {"rank": 2, "alpha": 4},
    }
    small_nets.run(write(tmp_path, tiny_model_folder, **changes), tmp_path / "run")
    assert cells(tmp_path / "run").keys() == {"kd"}
    assert len(list((tmp_path / "run").glob("stages/*/ledger.json"))) == 3, "teacher, its states, and the student"


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=30), st.integers(0, 5))
def test_states_are_exchanged_among_patients(patients: list[str], seed: int) -> None:
    given_to = exchanged(patients, seed)
    assert sorted(given_to) == list(range(len(patients)))
    if 2 * max(map(patients.count, patients)) <= len(patients):
        assert all(patients[one] != patients[other] for one, other in enumerate(given_to))
    assert exchanged(patients, seed) == given_to


@pytest.mark.parametrize(
    ("stages", "arms", "said"),
    [
        ({"kd": FAST | {"toward": {"states": "teacher"}}}, STUDENTS[1:2], "makes no states; name one of taught"),
        ({"kd": FAST | {"toward": {"states": "taught", "alpha": 1}}}, STUDENTS[1:2], "alpha"),
        ({"written": {"kind": "sft", "toward": {"states": "taught"}}}, ["written"], "cannot learn `toward` states"),
        ({"taught": {"kind": "states"}}, STUDENTS[1:2], "one that trains a head"),
        ({"taught": {"kind": "states", "after": "senses"}}, STUDENTS[1:2], "a head on the task's labels"),
        ({"taught": {"kind": "states", "after": "kd"}}, STUDENTS[1:2], "states of what comes of kd itself"),
        ({"taught": STAGES["taught"] | {"model": "small", "train": ["head"]}}, STUDENTS[1:2], "take train, model out"),
        ({"taught": STAGES["taught"] | {"compute_of": "student"}}, STUDENTS[1:2], "take compute_of out"),
        ({}, ["teacher", {"name": "odd", "stages": ["taught"]}], "take it out of the arm"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, stages: dict[str, Any], arms: list[Any], said: str
) -> None:
    study = write(tmp_path, tiny_model_folder, stages=STAGES | stages, arms=arms)
    checked = preceptor.run("check", study)
    assert checked.code == 2, checked
    assert said in checked.errors


def test_purged_no_state_is_left(done: Path, preceptor: CommandLine) -> None:
    purged = preceptor.run("purge", done, "--yes")
    assert purged.code == 0, purged
    assert "states of training cases" in purged.shown
    assert not list(done.glob("stages/*/states.safetensors"))
