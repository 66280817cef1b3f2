"""Arms that are shown different views of the same cases, in float32: one study, and what its results say of views."""

import csv
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from html_page import Page
from preceptor.errors import InputError
from preceptor.report import write_report
from preceptor.study import load_study
from preceptor.study.cases import Prepared, TaskCases, check_task, prepare, read_task
from preceptor.study.check import look_at_study
from preceptor.study.finished.arm import open_arm
from preceptor.study.predictions.answering import why_left_out
from preceptor.study.results.schema import Results
from study_runs import Run, run
from tiny_study import TASK, write_study

VIEW_TASK = {
    "fields": {"note": "What the nurse wrote", "keywords": "What a coder wrote of it later"},
    "prompt": "{note}",
    "metric": "accuracy",
    "also": [],
}
FIELDS = {
    "unlabelled": {"without_label": "keywords"},
    "extracted": {"keywords_tfidf": "note", "count": 3},
    "drawn": {"random_words": "note", "as_many_as": "keywords"},
}
VIEWS = {
    "full": "{note}",
    "keywords": {"template": "{keywords}", "known": "after"},
    "bare": {"template": "{unlabelled}", "known": "after"},
    "extracted": "{extracted}",
    "drawn": "{drawn}",
}
DATA = {"path": "cases.csv", "target": "urgency", "group": "patient"}
SIGNS = {"urgent": ["chest pain", "drowsy", "breathless"], "routine": ["sore throat", "ear wax", "itchy rash"]}
SHORT = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01}
ARMS: list[Any] = [
    *({"name": f"tfidf-{view}", "answer": "tfidf", "view": view} for view in ("full", "bare", "extracted", "drawn")),
    {
        "name": "tfidf-keywords", "answer": "tfidf", "view": "keywords", "against": ["tfidf-bare", "tfidf-full"],
    },
    {"name": "mlp-keywords", "answer": "mlp", "view": "keywords"},
    {"name": "sft-full", "stages": ["sft"], "view": "full"},
    {"name": "sft-keywords", "stages": ["sft"], "view": "keywords"},
    "tfidf",
]  # fmt: skip


def write_cases(path: Path, patients: int = 110, *, unlike_in_test: str = "") -> None:
    """Keywords begin with the label; a note has a sign that in a quarter of the cases is that of the other label."""
    rng = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient", "note", "keywords", "urgency", "split"])
        for n in range(patients):
            label = ("urgent", "routine")[n % 2]
            sign = rng.choice(SIGNS[label if rng.random() < 0.75 else ("routine", "urgent")[n % 2]])
            part = ("train", "train", "train", "validation", "test")[n // 2 % 5]
            more = unlike_in_test if part == "test" else ""
            note = f"{rng.randrange(20, 90)} years, {sign}, came at {rng.randrange(24)} o'clock, waited long{more}."
            out.writerow([f"P{n:03}", note, f"{label}, {sign}", label, part])


def entry(**changes: Any) -> dict[str, Any]:
    data = {**DATA, "split": "split"}
    return {"task": "urgency.task.yaml", "data": data, "fields": FIELDS, "views": VIEWS, **changes}


def prepared(
    folder: Path, tokenizer: Any, *, unlike_in_test: str = "", arms: list[Any] = ARMS, **changes: Any
) -> Prepared:
    folder.mkdir(parents=True, exist_ok=True)
    write_cases(folder / "cases.csv", unlike_in_test=unlike_in_test)
    file = write_study(folder, Path("unused"), task=VIEW_TASK, arms=arms, tasks=[entry(**changes)], sft=SHORT)
    study, base = load_study(str(file))
    return prepare(check_task(read_task(study.tasks[0], study, base), study, tokenizer), study, tokenizer)


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("views")
    write_cases(folder / "cases.csv")
    return run(
        folder, tiny_model_folder, folder / "run", task=VIEW_TASK, arms=ARMS, tasks=[entry(margin=0.05)], sft=SHORT
    )


def value(run: Run, arm: str) -> float:
    (cell,) = (cell for cell in run.results["cells"] if cell["arm"] == arm)
    return float(cell["value"])


def test_each_arm_is_shown_its_view(tmp_path: Path, tiny_tokenizer: Any) -> None:
    one = prepared(tmp_path, tiny_tokenizer)
    shown = {name: tiny_tokenizer.decode(one.seen(name).test[0]) for name in VIEWS}
    case = one.seen("keywords").splits.test[0]
    assert case.fields["keywords"] in shown["keywords"]
    assert case.target not in shown["bare"].split("user")[-1]
    assert case.fields["note"] in shown["full"]
    assert shown["full"] == tiny_tokenizer.decode(one.test[0]), "the task's own prompt is the same template"
    assert all("Answer urgent or routine." in text for text in shown.values()), "the instruction stays"
    assert one.seen(None) is one


def test_every_view_has_the_same_cases_in_the_same_order(tmp_path: Path, tiny_tokenizer: Any) -> None:
    """Trap 5: arms are compared on the same cases, those without keywords among none of them."""
    one = prepared(tmp_path, tiny_tokenizer)
    for part in ("train", "validation", "test"):
        ids = [[case.id for case in getattr(seen.splits, part)] for seen in (one, *one.views.values())]
        assert all(some == ids[0] for some in ids)


def test_what_a_view_is_made_of_does_not_change_the_cases_of_the_study(tmp_path: Path, tiny_tokenizer: Any) -> None:
    """A look at test cases is the same look whatever fields are made of them."""
    plain = prepared(tmp_path / "a", tiny_tokenizer)
    other = prepared(tmp_path / "b", tiny_tokenizer, fields=FIELDS | {"extracted": {"keywords_tfidf": "note"}})
    assert (plain.test_set, plain.test_hash) == (other.test_set, other.test_hash)
    assert plain.seen("extracted").view_key != other.seen("extracted").view_key


def test_a_view_may_show_what_results_are_broken_down_by(tmp_path: Path) -> None:
    """No other view changes by it, and only what is asked for is there."""

    def cases(subgroups: list[str], **views: str) -> TaskCases:
        data = {"cases": 40, "subgroups": subgroups}
        entry = {"task": "medication", "data": data, "views": {"codes": "{visits}", **views}}
        study, base = load_study(str(write_study(tmp_path, Path("unused"), tasks=[entry], arms=["tfidf"])))
        return read_task(study.tasks[0], study, base)

    plain, shown = cases([]), cases(["sex"], who="{sex}: {visits}")
    case = shown.views["who"].splits.test[0]
    assert case.metadata.keys() == {"sex"}
    assert case.fields["sex"] == case.metadata["sex"]
    assert shown.views["who"].task.messages(case)[-1]["content"].startswith(f"{case.metadata['sex']}: ")
    assert "sex" not in shown.views["codes"].splits.test[0].fields
    assert shown.views["codes"].key == plain.views["codes"].key
    with pytest.raises(InputError, match=r"\{age\} is not a field"):
        _ = cases(["sex"], who="{age}").views


def test_training_cases_of_a_view_do_not_change_when_test_cases_do(tmp_path: Path, tiny_tokenizer: Any) -> None:
    """Trap 4: what is fitted on all notes leaks the test set; here it is fitted on the training part."""
    one = prepared(tmp_path / "a", tiny_tokenizer)
    other = prepared(tmp_path / "b", tiny_tokenizer, unlike_in_test=", chest pain and wax and much else")
    for name in VIEWS:
        assert one.seen(name).train == other.seen(name).train
    assert one.seen("extracted").test != other.seen("extracted").test


def test_the_keywords_name_the_answer_and_what_is_made_of_the_note_does_not(
    tmp_path: Path, tiny_tokenizer: Any
) -> None:
    """Trap 1: preflight finds the label in the keywords of every case, and not in those extracted."""
    write_cases(tmp_path / "cases.csv")
    file = write_study(tmp_path, Path("unused"), task=VIEW_TASK, arms=ARMS, tasks=[entry()], sft=SHORT)
    study, base = load_study(str(file))
    checked = check_task(read_task(study.tasks[0], study, base), study, tiny_tokenizer)
    found = [one.what for one in checked.preflight.findings if one.code == "names_the_answer"]
    assert found == ["field keywords holds the case's own label in 100% of them, by chance it would be 50%"]
    told = checked.preflight.to_json()["named"]
    assert told["keywords"] == {"share": 1.0, "by_chance": 0.5}
    assert {name: told[name]["share"] for name in FIELDS} == {"unlabelled": 0, "extracted": 0, "drawn": 0}


def test_without_the_label_the_gain_is_gone(viewed: Run) -> None:
    """Trap 1: keywords do better than the note because they name the answer, and only then."""
    assert value(viewed, "tfidf-keywords") == value(viewed, "mlp-keywords") == 1.0
    assert value(viewed, "tfidf-bare") < 0.95
    assert value(viewed, "tfidf-full") == value(viewed, "tfidf")


def test_the_first_sentence_says_that_the_best_view_names_the_answer_and_none_is_recommended(viewed: Run) -> None:
    """Traps 1 and 3: what is known only after the decision, and holds it, is never recommended."""
    (found,) = viewed.results["conclusions"]
    assert found["conclusion"] == "names_the_answer"
    assert found["recommendation"] == "do not deploy"
    assert found["sentence"].startswith(
        "On urgency, the view that does best names the answer: keywords, by TF-IDF on keywords, holds the case's own "
        "label in 100% of the training cases, and by chance it would be in 50%: +"
    )
    assert "for TF-IDF on keywords over TF-IDF on bare" in found["sentence"]
    assert "The view bare is known only after the decision: no arm that is shown it is for use." in found["warnings"]
    assert "The view keywords holds the case's own label in 100% of the cases." in found["warnings"]


def test_results_say_what_each_view_is(viewed: Run) -> None:
    (task,) = viewed.results["study"]["tasks"]
    views = {one["name"]: one for one in task["views"]}
    assert {name: one["known"] for name, one in views.items()} == {
        "full": "before", "keywords": "after", "bare": "after", "extracted": "before", "drawn": "before",
    }  # fmt: skip
    assert views["keywords"]["label_share"] == 1.0
    assert views["bare"]["label_share"] == 0
    assert views["keywords"]["words"] <= 3 < views["full"]["words"]
    assert {one["name"]: one["view"] for one in viewed.results["arms"]}["sft-keywords"] == "keywords"
    titles = {one["name"]: one["title"] for one in viewed.results["arms"]}
    assert (titles["mlp-keywords"], titles["sft-full"]) == ("MLP on keywords", "SFT on full")


def test_two_views_of_one_stage_are_two_trainings_on_the_same_cases_for_as_many_steps(viewed: Run) -> None:
    """Trap 6: fewer tokens are not less training unless it is said; here both see each case once, the cost tells."""
    assert len(viewed.stages()["sft"]) == 2
    full, keywords = (
        next(cell["cost"] for cell in viewed.results["cells"] if cell["arm"] == arm)
        for arm in ("sft-full", "sft-keywords")
    )
    assert full["optimizer_steps"] == keywords["optimizer_steps"] > 0
    assert keywords["tokens_seen"] < full["tokens_seen"]
    ledgers = [json.loads(path.read_text()) for path in viewed.folder.glob("stages/*/ledger.json")]
    assert len({one["key"] for one in ledgers}) == 2


def test_a_run_with_views_is_found_again_and_another_field_answers_anew(viewed: Run, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in viewed.folder.glob("cells/**/predictions.jsonl")}
    viewed.again(task=VIEW_TASK, arms=ARMS, tasks=[entry(margin=0.05)], sft=SHORT)
    assert before == {path: path.stat().st_mtime_ns for path in viewed.folder.glob("cells/**/predictions.jsonl")}


def test_results_with_views_are_read_again_and_a_model_of_a_view_is_asked_through_it(viewed: Run) -> None:
    read = Results.model_validate_json((viewed.folder / "results.json").read_bytes())
    assert read.study.tasks[0].views[1].names_the_answer
    arm = open_arm(viewed.folder, "urgency", "sft-keywords")
    assert (arm.task.prompt, list(arm.task.fields)) == ("{keywords}", ["keywords"])


def test_a_task_without_the_view_goes_without_the_arm(tmp_path: Path, tiny_tokenizer: Any) -> None:
    one = prepared(tmp_path, tiny_tokenizer, views={"full": "{note}"}, fields={}, arms=ARMS[:1])
    study, _ = load_study(str(write_study(tmp_path, Path("unused"), task=VIEW_TASK, arms=ARMS, tasks=[entry()])))
    assert why_left_out(study, one, "tfidf-full") is None
    assert why_left_out(study, one, "sft-keywords") == "the task has no view keywords"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"views": {"full": "{nowt}"}}, "views.full: {nowt} is not a field"),
        ({"views": {"full": "Which?"}}, "views.full: it shows no field"),
        ({"views": {"full": {"template": "{note}", "cut": "keywords"}}}, "views.full.cut: keywords is not in its"),
        ({"views": {"full": "{note}"}, "fields": {"note": {"without_label": "note"}}}, "the task has a field of this"),
    ],
)
def test_what_is_wrong_with_a_view_is_said_before_anything_is_trained(
    changes: dict[str, Any], problem: str, tmp_path: Path, tiny_model_folder: Path
) -> None:
    write_cases(tmp_path / "cases.csv")
    arms = [{"name": "tfidf-full", "answer": "tfidf", "view": "full"}]
    file = write_study(tmp_path, tiny_model_folder, task=VIEW_TASK, arms=arms, tasks=[entry(**changes)])
    study, base = load_study(str(file))
    looked = look_at_study(study, base, Console(quiet=True))
    assert any(problem in str(one) for one in looked.problems), looked.problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"arms": [{"name": "a", "answer": "tfidf", "view": "fll"}]}, "no task has a view fll"),
        ({"tasks": [entry(fields={"x": {"keywrods": "note"}})]}, "name one maker and the field it reads"),
        ({"tasks": [entry(fields={"a b": {"without_label": "note"}})]}, "pattern"),
        ({"tasks": [entry(views={"x": {"template": "{note}", "known": "later"}})]}, "'before' or 'after'"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(changes: dict[str, Any], problem: str, tmp_path: Path) -> None:
    file = write_study(tmp_path, Path("unused"), **{"arms": ARMS, "tasks": [entry()], **changes})
    with pytest.raises(InputError) as refused:
        load_study(str(file))
    assert problem in str(refused.value)


def test_a_view_that_is_too_long_is_cut_in_the_field_of_the_task(tmp_path: Path, tiny_tokenizer: Any) -> None:
    assert TASK["cut"] == "note"
    one = prepared(tmp_path, tiny_tokenizer, views=VIEWS | {"both": "{note}\n{keywords}"})
    assert one.seen("both").task.cut == "note"
    assert one.seen("keywords").task.cut is None


def test_the_report_begins_with_the_leak_and_says_what_each_view_is(viewed: Run) -> None:
    """Trap 1: the page's first finding is that the best view names the answer."""
    text = Page(write_report(viewed.folder).read_text(encoding="utf-8")).text
    said = "Recommendation: do not deploy : what does best is shown the answer, which no new case brings "
    assert text.split(said)[1].startswith(viewed.results["conclusions"][0]["sentence"])
    keywords = r"keywords \(\d words a case, known only after the decision, with the case's own label in 100% of"
    assert re.search(keywords, text)
    assert re.search(r"full \(\d+ words a case\)", text)
