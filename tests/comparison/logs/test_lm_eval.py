"""Logs here are written as lm_eval 0.4.13 writes them (`EvaluationTracker.save_results_samples`), by these lines."""

from pathlib import Path
from typing import Any

import pytest

from preceptor.comparison import compare_predictions
from preceptor.comparison.logs import read_log
from preceptor.errors import InputError
from prediction_files import LABELS, label_rows, write_rows

Samples = list[dict[str, Any]]


def as_texts(value: Any) -> Any:
    """The tool turns what a model answered into texts, tuples and lists kept."""
    return [as_texts(one) for one in value] if isinstance(value, list | tuple) else str(value)


def sample(number: int, doc: dict[str, Any], target: Any, requests: list[tuple], answers: list, **scores: Any) -> dict:
    """A line for one case: `requests` are the arguments of each request, `answers` what its filter left of each."""
    asked = {f"gen_args_{i}": {f"arg_{j}": part for j, part in enumerate(one)} for i, one in enumerate(requests)}
    left = {"resps": [[one] for one in as_texts(answers)], "filtered_resps": as_texts(answers), "filter": "none"}
    hashes = {"doc_hash": "0", "prompt_hash": "0", "target_hash": "0"}
    metrics = {"metrics": list(scores)} | hashes | scores
    return {"doc_id": number, "doc": doc, "target": str(target), "arguments": asked} | left | metrics


def choices(right: float, seed: int, *, named: bool) -> Samples:
    """A multiple choice. `named`: the target is a choice's text, as `doc_to_target: label` has it; else its number."""
    made = []
    for number, row in enumerate(label_rows(right, seed=seed)):
        requests = [("How soon?", f" {label}") for label in LABELS]
        likely = [(-1.5 if label == row["answer"] else -20.25, label == row["answer"]) for label in LABELS]
        target = row["gold"] if named else LABELS.index(row["gold"])
        acc = float(row["answer"] == row["gold"])
        doc = {"patient": row["patient"], "answer": "of the data set", "labels": list(LABELS)}
        made.append(sample(number, doc, target, requests, likely, acc=acc, acc_norm=1.0, f1=[0, 1]))
    return made


def generated(right: float, seed: int) -> Samples:
    made = []
    for number, row in enumerate(label_rows(right, seed=seed)):
        doc, request = {"patient": row["patient"]}, [("How soon?", {"until": ["\n\n"], "do_sample": False})]
        match = float(row["answer"] == row["gold"])
        made.append(sample(number, doc, row["gold"], request, [row["answer"]], exact_match=match))
    return made


def filtered(samples: Samples, name: str) -> Samples:
    return [one | {"filter": name} for one in samples]


@pytest.mark.parametrize("named", [True, False])
def test_a_multiple_choice_is_compared_by_its_labels(tmp_path: Path, named: bool) -> None:
    files = [
        write_rows(tmp_path / f"samples_triage_{n}.jsonl", choices(p, n, named=named)) for n, p in ((1, 0.9), (2, 0.6))
    ]
    found = compare_predictions(*files, metric="accuracy", group="patient")
    plain = [write_rows(tmp_path / f"{n}.jsonl", label_rows(p, seed=n)) for n, p in ((1, 0.9), (2, 0.6))]
    expected = compare_predictions(*plain, metric="accuracy", group="patient")
    assert (found.delta, found.ci, found.p, found.patients) == (expected.delta, expected.ci, expected.p, 60)
    assert found.a[0].invalid_rate == 0


def test_each_metric_of_a_number_is_a_column(tmp_path: Path) -> None:
    table = read_log(write_rows(tmp_path / "samples_triage.jsonl", choices(0.9, 1, named=True)))
    assert table.columns == ["patient", "id", "gold", "acc", "acc_norm", "answer"]
    assert (table.rows[7].number, table.rows[7].cells["id"], table.rows[7].cells["acc_norm"]) == (8, "7", "1.0")
    with pytest.raises(InputError, match=r"there is no column `score`.*Columns are `patient`, `id`, `gold`, `acc`"):
        compare_predictions(table.path, table.path, metric="mean_score", group="patient")
    assert compare_predictions(table.path, table.path, metric="mean_score", group="patient", score="acc").delta == 0


def test_generated_answers_with_one_metric_need_no_name(tmp_path: Path) -> None:
    files = [write_rows(tmp_path / f"samples_{n}.jsonl", generated(p, n)) for n, p in ((1, 0.9), (2, 0.6))]
    by_label = compare_predictions(*files, metric="accuracy", group="patient")
    by_score = compare_predictions(*files, metric="mean_score", group="patient")
    assert by_label.delta == pytest.approx(by_score.delta)
    assert by_label.test == "exact McNemar"


def test_filters_are_told_apart_as_in_the_tools_results(tmp_path: Path) -> None:
    both = [*filtered(generated(0.9, 1), "flexible-extract"), *filtered(generated(0.6, 2), "strict-match")]
    file = write_rows(tmp_path / "samples.jsonl", both)
    table = read_log(file)
    assert len(table.rows) == 60
    assert not {"answer", "score"} & set(table.columns)
    with pytest.raises(InputError, match=r"`answer,flexible-extract`, .*`answer,strict-match`"):
        compare_predictions(file, file, metric="accuracy", group="patient")
    named = {"answer": "answer,strict-match", "group": "patient"}
    strict = compare_predictions(file, file, metric="accuracy", **named)
    again = write_rows(tmp_path / "again.jsonl", generated(0.6, 2))
    assert strict.a == compare_predictions(again, again, metric="accuracy", group="patient").a
    scored = compare_predictions(file, file, metric="mean_score", group="patient", score="exact_match,strict-match")
    assert scored.a[0].value == pytest.approx(strict.a[0].value)


def test_a_file_that_a_second_run_was_appended_to(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "samples.jsonl", generated(0.9, 1) * 2)
    with pytest.raises(InputError, match="row 61: id `0` stands already in row 1"):
        compare_predictions(file, file, metric="accuracy", group="patient")


def test_unconditional_likelihoods_are_no_choices(tmp_path: Path) -> None:
    samples = choices(1.0, 1, named=False)
    for one in samples:
        one["filtered_resps"] += [["-0.5", "True"]] * 3
        one["arguments"] |= {f"gen_args_{n}": {"arg_0": "", "arg_1": LABELS[n - 3]} for n in (3, 4, 5)}
        one |= {"metrics": ["acc", "acc_mutual_info"], "acc_mutual_info": 1.0}
    file = write_rows(tmp_path / "samples.jsonl", samples)
    assert compare_predictions(file, file, metric="accuracy", group="patient").a[0].value == 1.0


def test_several_right_choices_are_no_right_answer(tmp_path: Path) -> None:
    samples = [one | {"target": "[0, 1]"} for one in choices(1.0, 1, named=False)]
    file = write_rows(tmp_path / "samples.jsonl", samples)
    with pytest.raises(InputError, match="the right answer of id `0` is missing"):
        compare_predictions(file, file, metric="accuracy", group="patient")


def test_a_table_of_ones_own_is_no_such_log(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"doc_id": 1, "answer": "yes"}\n')
    assert read_log(path).rows[0].cells == {"doc_id": "1", "answer": "yes"}
    for first in ("[1]", "{", '"doc_id"'):
        path.write_text(first + "\n")
        with pytest.raises(InputError, match="row 1: "):
            read_log(path)


@pytest.mark.parametrize("field", ["doc_id", "filter", "metrics"])
def test_a_field_of_another_kind(tmp_path: Path, field: str) -> None:
    samples = [one | {field: [["x"]]} for one in generated(0.9, 1)]
    file = write_rows(tmp_path / "samples.jsonl", samples)
    with pytest.raises(InputError, match=r"samples\.jsonl"):
        compare_predictions(file, file, metric="accuracy", group="patient")
