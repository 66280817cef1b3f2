import json
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.errors import InputError
from preceptor.models import Policy, load_policy
from preceptor.study import load_study
from preceptor.study.answers._greedy import greedy_generation
from preceptor.study.cases import Prepared, check_task, prepare, read_task
from preceptor.study.predictions import prediction_files
from preceptor.study.predictions.answer_context import Answering, OnBatch, Snippet
from preceptor.study.predictions.prediction_files import copy_predictions, evaluate, finished, read_predictions
from preceptor.study.run.folder import open_run_folder
from tiny_study import write_study, write_table

BATCH = 16


class Killed(BaseException):
    """Stands for a kill between two batches."""


@pytest.fixture
def prepared(tmp_path: Path, tiny_model_folder: Path, tiny_tokenizer: Any) -> Prepared:
    write_table(tmp_path / "cases.csv", patients=160)
    study, base = load_study(str(write_study(tmp_path, tiny_model_folder)))
    return prepare(check_task(read_task(study.tasks[0], study, base), study, tiny_tokenizer), study, tiny_tokenizer)


@pytest.fixture
def policy(tiny_source: Any) -> Policy:
    return load_policy(tiny_source, None, dtype=torch.float32)


class Watch:
    """Notes how far an evaluation is, and may stop it."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.told: list[int] = []
        self._stop_after = stop_after

    def __call__(self, units: int = 1, /) -> None:
        self.told.append(units)
        if sum(self.told) >= self._stop_after:
            raise Killed


def killed_run(policy: Policy, prepared: Prepared, folder: Path, key: str = "key") -> None:
    with pytest.raises(Killed):
        evaluate(words(policy, prepared), prepared, folder, key, Watch(stop_after=BATCH))


def words(policy: Policy, prepared: Prepared) -> Answering:
    return Answering(greedy_generation(policy, prepared.test, prepared.task.answer.max_new_tokens, rows=BATCH))


def test_an_evaluation_continues_behind_its_last_whole_batch(
    tmp_path: Path, prepared: Prepared, policy: Policy
) -> None:
    folder, alone = tmp_path / "killed", tmp_path / "alone"
    assert len(prepared.test) > 2 * BATCH
    killed_run(policy, prepared, folder)
    assert not finished(folder, "key")
    with (folder / "predictions.part.jsonl").open("a") as part:
        part.write('{"seconds": 1.0, "texts": {"3": "half a li')
    watch = Watch()
    evaluate(words(policy, prepared), prepared, folder, "key", watch)
    assert watch.told == [BATCH, BATCH, len(prepared.test) - 2 * BATCH]
    evaluate(words(policy, prepared), prepared, alone, "key", Watch())
    assert (folder / "predictions.jsonl").read_bytes() == (alone / "predictions.jsonl").read_bytes()
    assert finished(folder, "key")
    assert sorted(one.name for one in folder.iterdir()) == ["cell.json", "predictions.jsonl"]


def test_what_another_policy_answered_is_not_continued(tmp_path: Path, prepared: Prepared, policy: Policy) -> None:
    killed_run(policy, prepared, tmp_path / "cell", key="another")
    watch = Watch()
    evaluate(words(policy, prepared), prepared, tmp_path / "cell", "key", watch)
    assert watch.told[:2] == [0, BATCH]
    assert not finished(tmp_path / "cell", "another")


def test_answers_whose_name_was_not_yet_written_are_nobodys(
    tmp_path: Path, prepared: Prepared, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(words(policy, prepared), prepared, tmp_path / "cell", "first", Watch())

    def kill(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(prediction_files, "write_json", kill)  # the last file of the two
    with pytest.raises(Killed):
        evaluate(words(policy, prepared), prepared, tmp_path / "cell", "second", Watch())
    assert not finished(tmp_path / "cell", "first")
    assert not finished(tmp_path / "cell", "second")


def test_predictions_stand_in_the_order_of_the_held_out_cases(
    tmp_path: Path, prepared: Prepared, policy: Policy
) -> None:
    evaluate(words(policy, prepared), prepared, tmp_path / "cell", "key", Watch())
    answers = read_predictions(tmp_path / "cell")
    assert [one.id for one in answers] == [one.id for one in prepared.splits.test]
    assert [one.answer for one in answers] == [prepared.task.parse(one.text) for one in answers]
    gold = [one.target for one in prepared.splits.test]
    assert [one.score for one in answers] == [float(a.answer == g) for a, g in zip(answers, gold, strict=True)]


def test_copied_predictions_are_finished(tmp_path: Path, prepared: Prepared, policy: Policy) -> None:
    evaluate(words(policy, prepared), prepared, tmp_path / "first", "key", Watch())
    copy_predictions(tmp_path / "first", tmp_path / "second")
    assert finished(tmp_path / "second", "key")
    assert read_predictions(tmp_path / "second") == read_predictions(tmp_path / "first")


def test_the_names_of_held_out_cases_change_with_what_an_answer_depends_on(
    tmp_path: Path, prepared: Prepared, tiny_tokenizer: Any
) -> None:
    def hash_with(**changes: Any) -> str:
        study, base = load_study(str(write_study(tmp_path, Path("unused"), **changes)))
        return prepare(
            check_task(read_task(study.tasks[0], study, base), study, tiny_tokenizer), study, tiny_tokenizer
        ).test_hash

    answer = {"kind": "label", "labels": {"urgent": "now", "routine": "later"}, "max_new_tokens": 9}
    hashes = [
        prepared.test_hash,
        hash_with(split_seed=1),
        hash_with(task={"answer": answer}),
        hash_with(task={"instruction": "Say one word."}),
        hash_with(task={"metric": "accuracy"}),
    ]
    assert len(set(hashes)) == len(hashes)
    assert hash_with(task={"title": "Another title"}) == prepared.test_hash


def test_a_run_folder_is_held_by_one_and_freed_at_the_end(tmp_path: Path) -> None:
    with open_run_folder(tmp_path / "run") as run:
        assert run.root.stat().st_mode & 0o777 == 0o700
        with pytest.raises(InputError, match="another process"), open_run_folder(tmp_path / "run"):
            pass
    with open_run_folder(tmp_path / "run"):
        pass


def test_the_kept_note_tells_what_it_took(tmp_path: Path, prepared: Prepared, policy: Policy) -> None:
    killed_run(policy, prepared, tmp_path / "cell")
    before = json.loads((tmp_path / "cell" / "predictions.part.jsonl").read_text().split("\n")[1])["seconds"]
    evaluate(words(policy, prepared), prepared, tmp_path / "cell", "key", Watch())
    note = json.loads((tmp_path / "cell" / "cell.json").read_text())
    assert note["evaluation_seconds"] > before > 0


def test_scores_of_labels_are_kept_beside_answers_and_survive_a_kill(tmp_path: Path, prepared: Prepared) -> None:
    def answering(*, scored: bool) -> Answering:
        def answer(done: frozenset[int], on_batch: OnBatch) -> None:
            for i in sorted(set(range(len(prepared.test))) - done):
                share = 1 / (3 + i)
                on_batch({i: "urgent"}, scores={i: {"urgent": share, "routine": 1 - share}} if scored else None)

        return Answering(answer)

    with pytest.raises(Killed):
        evaluate(answering(scored=True), prepared, tmp_path / "cell", "key", Watch(stop_after=3))
    evaluate(answering(scored=True), prepared, tmp_path / "cell", "key", Watch())
    found = read_predictions(tmp_path / "cell")
    assert [one.scores for one in found] == [
        {"urgent": 1 / (3 + i), "routine": 1 - 1 / (3 + i)} for i in range(len(prepared.test))
    ]
    evaluate(answering(scored=False), prepared, tmp_path / "plain", "key", Watch())
    rows = [json.loads(line) for line in (tmp_path / "plain" / "predictions.jsonl").read_text().splitlines()]
    assert {tuple(row) for row in rows} == {("id", "text", "answer", "score")}
    assert {one.scores for one in read_predictions(tmp_path / "plain")} == {None}


def test_damaged_scores_are_named_by_their_file(tmp_path: Path) -> None:
    for scores in ({"urgent": "high"}, [0.5], 1):
        row = {"id": "1", "text": "urgent", "answer": "urgent", "score": 1.0, "scores": scores}
        (tmp_path / "predictions.jsonl").write_text(json.dumps(row) + "\n")
        with pytest.raises(InputError, match="is damaged"):
            read_predictions(tmp_path)


def weighed(prepared: Prepared) -> Answering:
    """Every answer with two snippets."""

    def answer(done: frozenset[int], on_batch: OnBatch) -> None:
        for start in range(0, len(prepared.test), BATCH):
            batch = range(start, min(start + BATCH, len(prepared.test)))
            if not done.issuperset(batch):
                snippets = {i: [Snippet(f"text {i}", 0.75, 0.1 * i), Snippet("b", 0.25, None)] for i in batch}
                on_batch(dict.fromkeys(batch, "urgent"), snippets=snippets)

    return Answering(answer)


def test_weighed_snippets_are_kept_with_the_answer_and_survive_a_kill(tmp_path: Path, prepared: Prepared) -> None:
    with pytest.raises(Killed):
        evaluate(weighed(prepared), prepared, tmp_path / "cell", "key", Watch(stop_after=BATCH))
    evaluate(weighed(prepared), prepared, tmp_path / "cell", "key", Watch())
    found = read_predictions(tmp_path / "cell")
    assert [one.snippets for one in found] == [
        [Snippet(f"text {i}", 0.75, 0.1 * i), Snippet("b", 0.25, None)] for i in range(len(prepared.test))
    ]
    assert "text 0" not in repr(found[0]), "a snippet is text of a case"
    file = tmp_path / "cell" / "predictions.jsonl"
    file.write_text(file.read_text().replace("0.75", '"much"'))
    with pytest.raises(InputError):
        read_predictions(tmp_path / "cell")
