"""Logs here are written as inspect_ai 0.3.285 writes them (`EvalRecorder`, `JSONRecorder`), by the lines below."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo
from zlib import crc32

import pyarrow
import pytest

from preceptor.comparison import compare_predictions
from preceptor.comparison.logs import read_log
from preceptor.errors import InputError
from prediction_files import label_rows, write_rows

Samples = list[dict[str, Any]]


def summaries(right: float, seed: int, **more: Any) -> Samples:
    """What `summaries.json` holds of each sample; the model was graded, and its answer is a letter."""
    made = []
    for number, row in enumerate(label_rows(right, seed=seed), 1):
        grade = "C" if row["answer"] == row["gold"] else "I"
        score = {"value": grade, "answer": row["answer"], "explanation": "xyzzy", "metadata": {}, "history": []}
        sample = {"id": number, "epoch": 1, "input": "xyzzy said the patient", "target": row["gold"]}
        about = {"metadata": {"patient": row["patient"], "answer": "of the data set"}, "scores": {"choice": score}}
        made.append(sample | about | {"completed": True, "message_count": 2} | more)
    return made


def header(**more: Any) -> dict[str, Any]:
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "triage"},
        "plan": {},
        "results": {},
        "stats": {},
    } | more


def write_json(path: Path, samples: Samples, **more: Any) -> Path:
    """A `.json` log has every sample in full."""
    in_full = [one | {"messages": [], "output": {"choices": []}, "store": {}, "events": []} for one in samples]
    path.write_text(json.dumps(header(**more) | {"samples": in_full}, indent=2))
    return path


def write_eval(path: Path, samples: Samples, *, zstandard: bool = True, **more: Any) -> Path:
    """A `.eval` log, in the order in which the tool writes its members."""
    start = {name: value for name, value in header().items() if name in ("version", "eval", "plan")}
    members: dict[str, Any] = {"_journal/start.json": start}
    members |= {f"samples/{one['id']}_epoch_{one['epoch']}.json": one for one in samples}
    members |= {"summaries.json": samples, "reductions.json": [], "header.json": header(**more)}
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, value in members.items():
            data = json.dumps(value).encode()
            if zstandard:
                add_zstandard(archive, name, data)
            else:
                archive.writestr(name, data)
    return path


def add_zstandard(archive: ZipFile, name: str, data: bytes) -> None:
    """A member compressed by method 93, which `zipfile` cannot write: stored packed, and its header put right."""
    member = ZipInfo(name)
    packed = pyarrow.compress(data[:99], "zstd", asbytes=True) + pyarrow.compress(data[99:], "zstd", asbytes=True)
    archive.writestr(member, packed)
    member.compress_type, member.file_size, member.CRC = 93, len(data), crc32(data)
    assert archive.fp is not None
    end = archive.fp.tell()
    archive.fp.seek(member.header_offset)
    archive.fp.write(member.FileHeader())
    archive.fp.seek(end)


def refused(path: Path, **options: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        compare_predictions(path, path, **{"metric": "accuracy", "group": "patient", **options})
    assert "xyzzy" not in str(caught.value)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("kind", ["zstandard", "deflate", "json"])
def test_labels_are_those_of_the_same_answers_in_a_table(tmp_path: Path, kind: str) -> None:
    files = []
    for seed, right in ((1, 0.9), (2, 0.6)):
        path, samples = tmp_path / f"triage_{seed}.{'json' if kind == 'json' else 'eval'}", summaries(right, seed)
        write = (
            write_json(path, samples) if kind == "json" else write_eval(path, samples, zstandard=kind == "zstandard")
        )
        files.append(write)
    found = compare_predictions(*files, metric="accuracy", group="patient", margin=0.05)
    plain = [write_rows(tmp_path / f"triage_{n}.jsonl", label_rows(p, seed=n)) for n, p in ((1, 0.9), (2, 0.6))]
    assert found == compare_predictions(*plain, metric="accuracy", group="patient", margin=0.05)
    graded = compare_predictions(*files, metric="mean_score", group="patient")
    assert graded.delta == pytest.approx(found.delta)


def test_columns_are_metadata_and_scores_and_the_text_of_no_case(tmp_path: Path) -> None:
    table = read_log(write_eval(tmp_path / "a.eval", summaries(0.9, 1)))
    assert table.columns == ["patient", "choice", "answer,choice", "id", "gold", "answer", "score"]
    assert table.where(table.rows[0]) == f"{tmp_path}/a.eval, sample 1"


def test_grades_and_numbers_of_several_scorers(tmp_path: Path) -> None:
    samples = summaries(0.9, 1)
    values = ["C", "P", "I", "N", 0.25, True, "yes", "0.5"]
    for number, sample in enumerate(samples):
        sample["scores"]["rubric"] = {"value": {"facts": values[number % 8], "length": 12}, "answer": None}
    table = read_log(write_eval(tmp_path / "a.eval", samples))
    assert not {"answer", "score"} & set(table.columns)
    assert table.column("rubric,facts")[:8] == ["1", "0.5", "0", "0", "0.25", "true", "1", "0.5"]
    assert any("there is no column `score`" in one for one in refused(table.path, metric="fact_f1"))
    found = compare_predictions(table.path, table.path, metric="fact_f1", group="patient", score="rubric,facts")
    assert found.a[0].value == pytest.approx(sum([1, 0.5, 0, 0, 0.25, 1, 1, 0.5] * 7 + [1, 0.5, 0, 0]) / 60)
    labels = compare_predictions(table.path, table.path, metric="accuracy", group="patient", answer="answer,choice")
    assert labels.n == 60


def test_one_of_several_right_answers_is_no_label(tmp_path: Path) -> None:
    samples = [one | {"target": [one["target"]]} for one in summaries(0.9, 1)]
    samples[4]["target"] = ["urgent", "routine"]
    said = refused(write_eval(tmp_path / "a.eval", samples))
    assert len(said) == 1
    assert said[0].startswith("a.eval, sample 5: the right answer of id `5` is missing")


def test_an_answer_that_no_choice_was_read_from_is_invalid(tmp_path: Path) -> None:
    samples = summaries(1.0, 1)
    for sample in samples[:6]:
        sample["scores"]["choice"] |= {"value": "N", "answer": "", "reason": "no_response"}
    path = write_eval(tmp_path / "a.eval", samples)
    found = compare_predictions(path, path, metric="accuracy", group="patient")
    assert (found.a[0].value, found.a[0].invalid_rate) == (0.9, 0.1)


def test_a_score_that_the_grader_could_not_give(tmp_path: Path) -> None:
    samples = summaries(1.0, 1)
    samples[2]["scores"]["choice"]["value"] = float("nan")  # written as a constant that Python's json reads
    for path in (write_eval(tmp_path / "a.eval", samples), write_json(tmp_path / "a.json", samples)):
        assert f"{path.name}, sample 3: column `score` is empty or NaN. Give every case a score" in refused(
            path, metric="mean_score"
        )


def test_what_did_not_end_well_is_refused_at_once(tmp_path: Path) -> None:
    samples = summaries(1.0, 1) + summaries(1.0, 1, epoch=2)
    samples[3] |= {"error": "a timeout", "scores": None}
    said = refused(write_eval(tmp_path / "a.eval", samples, status="error", invalidated=True))
    assert [one.split(". ")[0] for one in said[:4]] == [
        "a.eval: the evaluation did not end well: its status is `error`",
        "a.eval: samples of this log were marked as invalid",
        "a.eval: it has 2 epochs, so a case has 2 answers",
        "a.eval, sample 4: sample `4` failed or has no score",
    ]


def test_damaged_logs(tmp_path: Path) -> None:
    whole = write_eval(tmp_path / "a.eval", summaries(1.0, 1)).read_bytes()
    half, changed, running = tmp_path / "half.eval", tmp_path / "changed.eval", tmp_path / "running.eval"
    half.write_bytes(whole[: len(whole) // 2])
    at = whole.index(b"header.json") + 40
    changed.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    with ZipFile(running, "w") as archive:
        archive.writestr("_journal/start.json", "{}")
    assert "half.eval: this is no log of inspect_ai, or a damaged one" in refused(half)[0]
    assert "changed.eval: this is no log of inspect_ai, or a damaged one" in refused(changed)[0]
    assert "running.eval: the evaluation did not end well: its status is `started`" in refused(running)[0]
    for text, said in (
        ('{"id": 1}', "this is neither a list of objects nor a log of inspect_ai"),
        ('{"id": ', "this is not JSON: line 1, column 8"),
        ('{"eval": {}, "status": "success", "samples": [7]}', "its samples are not as inspect_ai 0.3.285 writes them"),
    ):
        path = tmp_path / "own.json"
        path.write_text(text)
        assert said in refused(path)[0]


def test_a_log_that_unpacks_to_more_than_a_memory_holds(tmp_path: Path) -> None:
    bomb = tmp_path / "a.eval"
    with ZipFile(bomb, "w", ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}")
        with archive.open("summaries.json", "w", force_zip64=True) as member:
            for _ in range(1001):
                member.write(bytes(1_000_000))
    assert "summaries.json in it has 1.0 GB, and at most 1 GB are read" in refused(bomb)[0]
