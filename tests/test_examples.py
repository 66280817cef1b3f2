"""The studies under `examples/`: those on the real public files, skipped where these are absent, and the paper's."""

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import CommandLine
from preceptor.data import DataSpec, named_answers, read_examples, read_table, split_by_patient
from preceptor.study import load_study
from preceptor.tasks import INVALID, Example, Task, load_task

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
DATA = Path(os.environ.get("PRECEPTOR_DATA", ROOT / "../shared/data"))
DATA_IN_STUDIES = "../../shared/data"

PAPER = {
    "replication": ["summarization"],
    "replication_long": ["summarization", "clinical_reasoning"],
    "savage2024": [entry.task for entry in load_study("five-tasks")[0].tasks],
}
"""Studies of the main paper's design on the built-in tasks."""
SEEDS_LOOKED_AT = {5, *(entry.data.seed for entry in load_study("five-tasks")[0].tasks)}
"""Of generated cases, on whose validation part the settings were chosen."""
STUDIES = sorted(path.stem for path in EXAMPLES.glob("*.yaml") if not path.stem.endswith(".task"))
CONTROLS = ["dose_response"]
"""Studies whose answer is known."""
OF_BUILT_IN = ["debias_long"]
"""Longer forms of built-in studies, on built-in cases."""
PUBLIC = [name for name in STUDIES if name not in (*PAPER, *CONTROLS, *OF_BUILT_IN)]

CASES = {
    "abbreviations": 659,
    "clinical_lora": 482,
    "craft_md": 1003,
    "hcv_labs": 615,
    "ktas_triage": 888,
    "ktas_triage_pairs": 888,
    "medec_ms": 319,
    "medication": 94,
    "mts_dialog_pairs": 100,
    "mts_dialog_section": 1301,
    "mts_dialog_summarization": 1301,
    "pubmedqa": 500,
    "sepsis2019": 1017,
    "specialty": 668,
}
REFUSED = {"abbreviations": 2089, "clinical_lora": 2050, "specialty": 968}
"""How many rows are left out, where a study says `bad_rows: leave out`."""
BARE_LABELS = ["base", "sft", "encoder", "tfidf"]
"""Without DPO: where an answer is a label and nothing else, it can only repeat what SFT learns."""
RECIPES = ["abbreviations", "clinical_lora", "medication", "specialty"]
"""Studies of other arms than the main paper's."""


def load(name: str) -> tuple[dict[str, Any], Task, DataSpec]:
    study = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    (entry,) = study["tasks"]
    data = yaml.safe_load(yaml.safe_dump(entry["data"]).replace(DATA_IN_STUDIES, str(DATA.resolve())))
    return study, load_task(EXAMPLES / entry["task"]), DataSpec(**data)


def read(name: str) -> tuple[dict[str, Any], Task, list[Example]]:
    if not DATA.is_dir():
        pytest.skip(f"the public data sets are not at {DATA} (set PRECEPTOR_DATA)")
    study, task, spec = load(name)
    result = read_examples(spec, task, EXAMPLES)
    assert len(result.refused) == REFUSED.get(name, 0)
    return study, task, result.examples


def test_every_set_has_its_study() -> None:
    assert set(STUDIES) == {*CASES, *PAPER, *CONTROLS, *OF_BUILT_IN}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_study_is_well_formed_without_its_data(name: str) -> None:
    study, task, spec = load(name)
    assert study["name"] == name
    assert task.name == study["tasks"][0]["task"].removesuffix(".task.yaml")
    bare_labels = task.answer.parser == "label" and not study.get("makers")
    assert name in RECIPES or study["arms"] == (BARE_LABELS if bare_labels else ["base", "sft", "sft+dpo"])
    assert set(spec.labels.values()) <= set(task.labels)
    assert all(label in " ".join(task.instruction.split()) for label in task.labels)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_study_reads_its_set_and_splits_it_by_patient(name: str) -> None:
    study, task, examples = read(name)
    assert len(examples) == CASES[name]
    splits = split_by_patient(examples, seed=0, label_of=lambda one: task.parse(one.target) if task.labels else "")
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    assert sum(map(len, parts.values())) == CASES[name]
    groups = [group for part in parts.values() for group in {one.group for one in part}]
    assert len(groups) == len(set(groups))
    limits = study["tasks"][0].get("limit", {})
    for part, limit in limits.items():
        assert limit <= len(parts[part])
    assert limits.get("test", len(splits.test)) >= min(100, len(splits.test))
    if task.labels:
        found = Counter(task.parse(one.target) for one in examples)
        assert set(found) == set(task.labels)
        assert INVALID not in found
    for one in examples[:20]:
        assert all(message["content"].strip() for message in task.messages(one))


@pytest.mark.parametrize("name", PAPER)
def test_a_study_after_the_paper_has_its_design(name: str) -> None:
    study, _ = load_study(str(EXAMPLES / f"{name}.yaml"))
    assert study.name == name
    assert [entry.task for entry in study.tasks] == PAPER[name]
    assert {"base", "sft", "sft+dpo", "sft+sft"} <= set(study.arms)
    assert len(study.seeds) >= 3
    assert all(entry.data.cases and entry.margin for entry in study.tasks)
    assert all(entry.data.seed not in SEEDS_LOOKED_AT for entry in study.tasks)


def test_the_dose_response_differs_in_pairs_and_beta_alone() -> None:
    study, _ = load_study(str(EXAMPLES / "dose_response.yaml"))
    (task,) = study.tasks
    arms = {arm: study.stage_of(arm).required for arm in study.arm_names if "dpo" in arm or "beta" in arm}  # type: ignore[union-attr]
    made = {
        arm: study.settings_of(next(one for one in stages if one.kind == "pairs"), task) for arm, stages in arms.items()
    }
    assert {arm: (one.limit, one.order) for arm, one in made.items()} == {
        "sft+dpo": (32, "given"),
        "sft+pairs4+dpo": (4, "given"),
        "sft+pairs12+dpo": (12, "given"),
        "sft+pairs24+dpo": (24, "given"),
        "sft+flipped+dpo": (32, "flipped"),
        "sft+half+dpo": (32, "random"),
        "sft+beta003": (32, "given"),
        "sft+beta05": (32, "given"),
    }
    learned = {arm: study.settings_of(stages[-1], task) for arm, stages in arms.items()}
    assert {one.beta for one in learned.values()} == {0.03, 0.1, 0.5}
    assert len({one.model_copy(update={"beta": 0.1}) for one in learned.values()}) == 1
    assert task.data.spike is not None


@pytest.mark.slow
def test_the_papers_study_is_ready_for_another_model(preceptor: CommandLine, tiny_model_folder: Path) -> None:
    checked = preceptor.run("check", EXAMPLES / "savage2024.yaml", "--model", tiny_model_folder)
    assert checked.code == 0, checked
    assert checked.shown.count("what was read") == len(PAPER["savage2024"])


def test_the_two_files_of_a_hosted_service_make_one_study(
    preceptor: CommandLine, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(EXAMPLES / "leaving_a_service", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for source, target in (("chats.jsonl", "examples.jsonl"), ("preferences.jsonl", "pairs.jsonl")):
        converted = preceptor.run("convert", source, target)
        assert (converted.code, "Not read" in converted.shown) == (0, False), converted
    Path("cases.jsonl").write_text(Path("examples.jsonl").read_text() + Path("pairs.jsonl").read_text())
    study, _ = load_study("study.yaml")
    examples = read_examples(study.tasks[0].data, load_task("as_given"), tmp_path).examples
    assert (len(examples), sum(one.rejected is not None for one in examples)) == (96, 32)
    checked = preceptor.run("check", "study.yaml", "--model", tiny_model_folder)
    assert checked.code == 0, checked
    assert "nothing to put right" in checked.shown


def test_mts_dialog_keeps_its_own_test() -> None:
    _, _, examples = read("mts_dialog_section")
    splits = split_by_patient(examples, seed=0)
    assert len(splits.test) == 100
    assert all(one.id.startswith("test-") for one in splits.test)
    assert splits.validation


def test_ktas_prompts_hold_nothing_known_only_after_triage() -> None:
    _, task, examples = read("ktas_triage")
    prompts = [task.messages(one)[-1]["content"] for one in examples]
    assert not any(word in prompt for prompt in prompts for word in ("#BO", "??", ";"))
    assert sum("score missing" in prompt for prompt in prompts) == 379


def test_sepsis_has_one_example_a_patient_and_the_counts_of_the_set() -> None:
    _, _, examples = read("sepsis2019")
    assert len({one.group for one in examples}) == len(examples)
    assert Counter(one.target for one in examples) == {"no": 916, "yes": 101}


def test_hcv_shows_missing_values_and_reads_every_class() -> None:
    _, _, examples = read("hcv_labs")
    assert sum("missing" in one.fields.values() for one in examples) == 26
    assert Counter(one.target for one in examples)["blood donor"] == 533


def test_specialty_asks_the_same_of_built_in_letters_and_of_the_real_set() -> None:
    built_in, real = load_study("specialty")[0], load_study(str(EXAMPLES / "specialty.yaml"))[0]
    assert built_in.arms == real.arms
    assert built_in.primary == real.primary
    (ours,), (theirs,) = built_in.tasks, real.tasks
    assert (ours.fields, ours.views, ours.margin) == (theirs.fields, theirs.views, theirs.margin)
    assert {arm.view for arm in built_in.resolved.values()} == {*ours.views}
    known = {name: view.known for name, view in ours.views.items()}
    assert {name for name, when in known.items() if when == "before"} == {"full", "keywords-extracted"}


def test_abbreviations_asks_the_same_of_built_in_letters_and_of_the_real_set() -> None:
    built_in, real = load_study("abbreviations")[0], load_study(str(EXAMPLES / "abbreviations.yaml"))[0]
    assert [arm for arm in built_in.arms if arm in real.arms] == [*real.arms], "beside those of another model"
    assert built_in.primary is not None
    assert real.primary is not None
    assert built_in.primary[0] == real.primary[0]
    assert built_in.slots == real.slots
    for study in (built_in, real):
        first, control = (study.stage_of(name).after for name in ("senses+classify", "shuffled-senses+classify"))  # type: ignore[union-attr]
        (learned, exchanged) = (study.settings_of(one, study.tasks[0]) for one in (first, control) if one)
        assert exchanged.model_copy(update={"shuffled": False}) == learned
        assert learned.shuffled is False


def test_no_abstract_stands_in_the_task_and_in_the_texts_of_its_first_stage() -> None:
    """Trap 7, and that an abstract of several conditions has no label."""
    _, _, examples = read("abbreviations")
    rows = read_table(DATA / "medical_abstracts" / "abstracts.csv", "medical_abstracts").rows
    asked, unlabelled = {one.fields["abstract"] for one in examples}, {row.cells["unlabelled"] for row in rows} - {""}
    assert len(unlabelled) == 687
    assert len(asked) == len(examples)
    assert not asked & unlabelled
    counts = Counter(one.split for one in examples)
    assert counts == {"train": 206, "validation": 52, "test": 401}


def test_mtsamples_keywords_name_the_answer_and_no_text_stands_on_two_sides() -> None:
    """Traps 1 and 2: the label stands in all keywords; a case is a text."""
    _, task, examples = read("specialty")
    shares = {name: named_answers(task, examples, lambda one, name=name: one.fields[name]) for name in task.fields}
    assert shares["keywords"].share == shares["keywords"].beyond_chance == 1
    assert shares["note"].beyond_chance < 0.05
    notes = Counter(one.fields["note"] for one in examples)
    assert max(notes.values()) == 1
    assert all(one.fields["keywords"].casefold().startswith(one.target.casefold()) for one in examples)


def test_trap_8_mimic_has_so_many_patients_with_an_earlier_stay() -> None:
    """One case a patient, and the drugs of a case's own stay stand nowhere in its codes."""
    _, task, examples = read("medication")
    assert Counter(one.metadata["visit"] for one in examples) == {"first": 81, "later": 13}
    assert max(len(one.fields["visits"].splitlines()) for one in examples) == 15
    assert not any("M:" in one.fields["visits"].splitlines()[-1] for one in examples)
    assert sum(task.label_set(one.target) == frozenset() for one in examples) < 5
