"""Senses as a stage: what it learns from, what it finds, what comes behind it; tiny BERT and Llama, float32."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import load_file

import senses_study
import study_runs
from command_line import CommandLine
from html_page import Page
from preceptor.data import Senses, split_by_patient
from preceptor.errors import InputError
from preceptor.models import SlotSettings
from preceptor.study import load_study
from preceptor.study.results.schema import Results
from preceptor.study.stages._sense_cases import PARTS, Asked, _parted, window_length, with_shuffled_senses
from preceptor.study.stages.senses import Settings
from preceptor.tasks import Example
from study_runs import Run
from tiny_study import write_study


@pytest.fixture(scope="module", params=["bert", pytest.param("llama", marks=pytest.mark.slow_recipe)])
def done(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model_folder: Path,
    tiny_encoder_folder: Path,
) -> Run:
    """A finished study with a first stage that learned senses, and with one that learned exchanged ones."""
    folder = tmp_path_factory.mktemp(request.param)
    senses_study.write_forms(folder)
    senses_study.write_notes(folder / "cases.csv")
    model = tiny_encoder_folder if request.param == "bert" else tiny_model_folder
    return study_runs.run(folder, model, folder / "run", **senses_study.STUDY)


def found(done: Run, arm: str) -> dict[str, Any]:
    (cell,) = (one for one in done.results["cells"] if one["arm"] == arm)
    return dict(cell["senses"])


def stages(done: Run, kind: str) -> list[Path]:
    return [
        one.parent for one in done.folder.glob("stages/*/ledger.json") if json.loads(one.read_text())["kind"] == kind
    ]


@pytest.mark.slow_recipe
def test_senses_are_told_better_than_by_the_commonest_and_exchanged_ones_are_not(done: Run) -> None:
    """Trap 10: among a short form's own senses and among all, beside its commonest one in training."""
    told, control = found(done, "senses+classify"), found(done, "shuffled-senses+classify")
    assert told["all"]["gain"]["ci"][0] > 0
    assert told["all"]["within"]["value"] >= told["all"]["over_all"]["value"]
    assert control["all"]["gain"]["ci"][0] <= 0
    assert control["all"]["commonest"] == told["all"]["commonest"]
    assert (told["shuffled"], control["shuffled"]) == (False, True)
    assert told["all"]["patients"] < told["all"]["cases"]


def test_both_take_the_same_cases_and_steps(done: Run) -> None:
    told, control = found(done, "senses+classify"), found(done, "shuffled-senses+classify")
    assert told["cases"] == control["cases"]
    assert told["senses"] == 6
    steps = {len([row for row in json.loads((one / "ledger.json").read_text())["history"] if "loss" in row])
             for one in stages(done, "senses")}  # fmt: skip
    assert len(steps) == 1


def test_what_was_found_and_left_out_adds_up(done: Run) -> None:
    """Traps 11 and 12: what is left out and what is written out is counted, and the commonest senses are named."""
    told = found(done, "senses+classify")
    left = sum(told[name] for name in ("rare", "only_sense", "unknown", "not_sampled", "without_token"))
    assert told["replaced"] == sum(told["cases"].values()) + left
    assert 0 < told["replaced"] < told["long_forms"]
    assert told["documents"] == sum(done.results["study"]["tasks"][0]["counts"][part] for part in PARTS[:2])
    counts = [one["cases"] for one in told["commonest"]]
    assert counts == sorted(counts, reverse=True)
    assert {one["short"] for one in told["commonest"]} == {"MI", "PE", "RA"}
    unaided = told["not_written_out"]
    assert told["written_out"] + (unaided["cases"] if unaided else 0) == told["all"]["cases"]


def test_the_stage_behind_it_has_its_adapter_and_a_head_of_its_own(done: Run) -> None:
    """Trap 4, as the runs leave it; `tests/models/test_handover.py` compares every tensor."""
    for folder in stages(done, "senses"):
        assert {one.name for one in (folder / "slots").iterdir()} == {"one", "senses-head"}
        assert len(load_file(folder / "slots" / "senses-head" / "head.safetensors")["weight"]) == 6
    behind = stages(done, "classify")
    assert len(behind) == 3
    assert all({one.name for one in (folder / "slots").iterdir()} == {"one", "head"} for folder in behind)
    assert all("query" in load_file(one / "slots" / "head" / "head.safetensors") for one in behind)


def test_a_causal_model_is_said_to_see_the_left_only(done: Run) -> None:
    assert found(done, "senses+classify")["sees_left_only"] == done.study.model.endswith("tiny")


def test_the_report_shows_it_and_no_text_of_a_case(done: Run, preceptor: CommandLine) -> None:
    assert preceptor.run("report", done.folder).code == 0
    page = (done.folder / "report.html").read_text()
    text = Page(page).text
    assert "How often a first stage told the right sense of a short form" in text
    assert "senses exchanged, a control" in text
    assert "Commonest: " in text
    assert "a linear layer on the hidden state of a short form's first token was trained together with slot one" in text
    assert "Heart rate 6" not in page
    assert Results.model_validate_json((done.folder / "results.json").read_text()).cells


def test_done_again_nothing_is_trained(done: Run) -> None:
    ledgers = {one: one.stat().st_mtime_ns for one in done.folder.glob("stages/*/ledger.json")}
    assert done.again(**senses_study.STUDY).results["cells"] == done.results["cells"]
    assert {one: one.stat().st_mtime_ns for one in done.folder.glob("stages/*/ledger.json")} == ledgers


def asked(senses: list[int]) -> list[Asked]:
    return [Asked([n], 0, sense, str(n), False) for n, sense in enumerate(senses)]


SENSES = Senses({"a": "X", "b": "X", "c": "Y", "d": "Y", "e": "Y"}, dict.fromkeys("abcde", 9))


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(0, 5))
def test_exchanged_senses_stay_within_their_short_form(senses: list[int], seed: int) -> None:
    before, after = asked(senses), with_shuffled_senses(asked(senses), SENSES, seed)
    assert Counter(one.sense for one in after) == Counter(senses)
    for one, other in zip(before, after, strict=True):
        assert (one.ids, one.at, one.group) == (other.ids, other.at, other.group)
        assert SENSES.candidates[one.sense] == SENSES.candidates[other.sense]


GROUPS = st.lists(st.sampled_from([f"p{n}" for n in range(9)]), min_size=20, max_size=60).filter(
    lambda g: len({*g}) > 3
)


@given(GROUPS, st.integers(0, 3))
def test_texts_of_a_patient_are_never_parted(groups: list[str], seed: int) -> None:
    """Trap 7: one abstract gives several cases, all of which lie in one part."""
    parts = _parted([(group, f"text {n}") for n, group in enumerate(groups)], seed, "first")
    own = [{group for group, _ in parts[part]} for part in PARTS]
    assert sum(map(len, own)) == len({*groups})
    assert sorted(text for part in PARTS for _, text in parts[part]) == sorted(f"text {n}" for n in range(len(groups)))


@given(st.integers(0, 20))
def test_a_patient_with_two_labels_stays_whole(seed: int) -> None:
    """Trap 8: a patient with one fatal and one survived admission."""
    cases = [Example(str(n), f"p{n // 2}", {}, "died" if n % 2 and n < 12 else "survived") for n in range(40)]
    splits = split_by_patient(cases, seed=seed, label_of=lambda one: one.target)
    own = [{one.group for one in getattr(splits, part)} for part in PARTS]
    assert sum(map(len, own)) == 20


def test_a_window_has_no_more_tokens_than_the_model_has_positions(encoder_source: Any) -> None:
    """Trap 2."""
    soft = SlotSettings(type="PROMPT_TUNING", num_virtual_tokens=24)
    assert window_length(encoder_source, 48, {"soft": soft}) == 48
    assert window_length(encoder_source, 5000, {}) == 1024
    assert window_length(encoder_source, 5000, {"soft": soft}) == 1000


@pytest.mark.slow_recipe
def test_held_out_patients_of_a_corpus_are_left_out(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    """Trap 7: nor does a text of theirs stand in the first stage."""
    senses_study.write_forms(tmp_path)
    senses_study.write_notes(tmp_path / "cases.csv", patients=60)
    with (tmp_path / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "letters.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["who", "letter"])
        for row in rows:
            out.writerow([row["patient"], f"Letter to a colleague. {row['note']} Thank you, and kind regards."])
            out.writerow([f"{row['patient']} of elsewhere", row["note"]])
    corpus = {"corpus": "letters.csv", "text": "letter", "group": "who", "limit": 80}
    first = senses_study.STAGES["first"] | corpus | {"epochs": 1}
    moved = senses_study.STAGES["moved"] | {"epochs": 1}
    done = study_runs.run(
        tmp_path,
        tiny_encoder_folder,
        tmp_path / "run",
        **senses_study.STUDY | {"stages": {"first": first, "moved": moved}, "arms": ["first+moved"], "primary": []},
    )
    told, counts = found(done, "first+moved"), done.results["study"]["tasks"][0]["counts"]
    assert told["documents"] == 120
    assert told["held_out_documents"] == counts["groups_test"]
    assert told["near_duplicates"] >= counts["test"]  # the same notes under another patient's name
    left = 120 - told["held_out_documents"] - told["near_duplicates"]
    assert told["not_drawn"] == left - 80 > 0


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"arms": ["first"]}, "first: first answers no task; put a stage behind it that does, as classify"),
        ({"arms": [{"name": "odd", "stages": ["first"], "answer": "head"}]}, "odd: first answers no task"),
        ({"slots": {"senses-head": {"type": "head"}}}, "a slot's name begins with"),
        (
            {"stages": {"first": {"kind": "senses", "train": ["one", "head"]}}, "arms": ["first+classify"]},
            "first: senses trains no head, so it cannot train head",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, tiny_encoder_folder: Path, changes: dict[str, Any], what: str
) -> None:
    file = write_study(tmp_path, tiny_encoder_folder, **senses_study.STUDY | {"primary": []} | changes)
    with pytest.raises(InputError, match=what):
        load_study(str(file))


def test_a_corpus_and_a_field_are_not_both_taken() -> None:
    with pytest.raises(ValidationError, match="field is of the task's cases, and corpus names other texts"):
        Settings(corpus="letters.csv", group="who", field="note")


def test_check_says_what_is_wrong_with_table_corpus_and_field(
    tmp_path: Path, tiny_encoder_folder: Path, preceptor: CommandLine
) -> None:
    (tmp_path / "forms.csv").write_text("short,long\nMI,\n")
    first = {"kind": "senses", "table": "forms.csv", "corpus": "nowhere.csv", "group": "who"}
    file = write_study(tmp_path, tiny_encoder_folder, stages={"first": first}, arms=["first+classify"])
    checked = preceptor.run("check", file)
    assert checked.code == 2
    assert "forms.csv, row 2: long is empty" in checked.errors
    assert "nowhere.csv" in checked.errors
    file = write_study(
        tmp_path, tiny_encoder_folder, stages={"first": {"kind": "senses", "field": "letter"}}, arms=["first+classify"]
    )
    assert "stage first: field: task urgency has no field letter; it has note" in preceptor.run("check", file).shown


LETTERS = {"kind": "senses", "corpus": "letters.csv", "group": "who"}


@pytest.mark.parametrize(
    ("first", "letters", "what"),
    [
        ({"kind": "senses", "field": ""}, "", "first.field: String should have at least 1 character"),
        ({"kind": "senses", "table": ""}, "", "first.table: String should have at least 1 character"),
        ({"kind": "senses", "corpus": "letters.csv"}, "", "stages: first: group: name the column of the patient"),
        (LETTERS, "who,text\n1,\n2, \n", "no row has a text in text. Name another column."),
        (LETTERS, "who,text\n,she whispered\n2,he whispered\n", "1 of 2 texts have no patient in who, and may be of"),
        (LETTERS, f"{'she whispered ' * 9},text\n1,a\n", "no column who; it has a text of 125 characters, `text`"),
    ],
)
def test_texts_that_cannot_be_learned_from_are_refused_without_showing_one(
    tmp_path: Path, tiny_encoder_folder: Path, preceptor: CommandLine, first: dict[str, Any], letters: str, what: str
) -> None:
    (tmp_path / "letters.csv").write_text(letters)
    file = write_study(tmp_path, tiny_encoder_folder, stages={"first": first}, arms=["first+classify"])
    checked = preceptor.run("check", file)
    assert checked.code == 2
    assert what in checked.errors
    assert "whispered" not in checked.shown + checked.errors


def test_texts_without_two_senses_of_a_short_form_cost_their_arm_alone(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    done = study_runs.run(
        tmp_path, tiny_encoder_folder, tmp_path / "run", arms=["senses+classify", "tfidf"], primary=[]
    )
    assert [one["arm"] for one in done.results["cells"]] == ["tfidf"]
    (failed,) = done.results["failed"]
    assert "no short form has two senses with 15 training cases each" in failed["reason"]


def test_check_refuses_a_corpus_in_which_no_two_senses_can_be_told_apart(
    tmp_path: Path, tiny_encoder_folder: Path, preceptor: CommandLine
) -> None:
    senses_study.write_forms(tmp_path)
    senses_study.write_notes(tmp_path / "cases.csv", patients=60)
    corpus = {"corpus": "letters.csv", "text": "letter", "group": "each row"}
    letters = ["letter", *["Myocardial infarction."] * 8, *["Mental illness."] * 7]
    (tmp_path / "letters.csv").write_text("\n".join(letters) + "\n")
    stages = {name: one | corpus if one["kind"] == "senses" else one for name, one in senses_study.STAGES.items()}
    file = write_study(tmp_path, tiny_encoder_folder, **senses_study.STUDY | {"stages": stages})
    refused = preceptor.run("check", file)
    assert refused.code == 2
    what = "letters.csv: no short form of the table has two long forms that stand in the corpus 8 times each."
    assert what in refused.errors
    assert "Name more texts" in refused.errors
    (tmp_path / "letters.csv").write_text("\n".join([*letters, "Mental illness again."]) + "\n")
    assert "Ready" in preceptor.run("check", file).shown
