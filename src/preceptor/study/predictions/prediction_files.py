"""What an arm answered to the held-out cases: read, scored, and written batch by batch."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from preceptor.engine import Cost, Numerics
from preceptor.files import JsonLog, digest, private_folder, read_jsonl, write_atomic, write_json, write_jsonl
from preceptor.progress import Advance
from preceptor.study.cases import Prepared
from preceptor.study.label_scores.scored import LabelRule
from preceptor.study.predictions.answer_context import Answering, Scores, Snippet
from preceptor.study.run.reading import reading
from preceptor.study.score import case_score

_PREDICTIONS = "predictions.jsonl"
_PART = "predictions.part.jsonl"
_NOTE = "cell.json"
"""Names the policy and the cases. Written last and removed first: a folder with one holds exactly its predictions."""
_COUNTED = ("label_ties", "without_marker")
"""What is counted while cases are answered."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an arm answered to one held-out case. `answer` is the label, the text, or INVALID.

    `scores`: one for each label, from an arm that gives them. `snippets`: those of the case, from an arm that weighs
    them.
    """

    id: str
    text: str
    answer: str
    score: float
    scores: Scores | None = None
    snippets: Sequence[Snippet] | None = None


def cell_key(policy_key: str, numerics: Numerics, prepared: Prepared) -> str:
    """Names everything an arm's predictions depend on: the policy, its numerics and the held-out cases."""
    view = [prepared.view_key] if prepared.view_key else []
    return digest([policy_key, numerics.model_dump(), prepared.test_hash, *view])


def finished(folder: Path, key: str) -> bool:
    """Whether the predictions of exactly this policy on exactly these cases stand in `folder`."""
    return (folder / _NOTE).exists() and read_note(folder)["key"] == key


def read_predictions(folder: Path) -> list[Prediction]:
    """The predictions kept in `folder`, in the order of the held-out cases. Raises `InputError` when damaged."""
    with reading(folder / _PREDICTIONS):
        return [_prediction(row) for row in read_jsonl(folder / _PREDICTIONS)]


def evaluate(answering: Answering, prepared: Prepared, folder: Path, key: str, advance: Advance) -> None:
    """Have every held-out case answered and write `predictions.jsonl`.

    Each batch is on disk before the next begins; a run that was killed continues behind the last whole batch.
    """
    private_folder(folder)
    part = _Part.open(folder / _PART, key)
    advance(len(part.texts))

    def on_batch(
        texts: dict[int, str],
        label_ties: int = 0,
        scores: Mapping[int, Scores] | None = None,
        without_marker: int = 0,
        snippets: Mapping[int, Sequence[Snippet]] | None = None,
    ) -> None:
        counts = Counter(label_ties=label_ties, without_marker=without_marker)
        part.append(texts, counts, scores or {}, snippets or {}, time.perf_counter() - started)
        advance(len(texts))

    started = time.perf_counter()
    answering.answerer(frozenset(part.texts), on_batch)
    (folder / _NOTE).unlink(missing_ok=True)
    write_jsonl(folder / _PREDICTIONS, [_row(prepared, i, part) for i in sorted(part.texts)])
    note = {"key": key, "evaluation_seconds": part.seconds} | {name: part.counts[name] for name in _COUNTED}
    write_json(folder / _NOTE, note | {"cost": answering.preparation.to_json()} | dict(answering.note))
    part.log.path.unlink()


def share_answered(folder: Path, key: str, cases: int) -> float:
    """Which share of the cases was answered by an earlier try with the same key."""
    file = folder / _PART
    with reading(file):
        rows = JsonLog(file).read()
        if not rows or rows[0]["key"] != key:
            return 0.0
        return sum(len(row["texts"]) for row in rows[1:]) / cases


def copy_predictions(finished_folder: Path, folder: Path) -> None:
    """The predictions kept in one folder, kept in another too."""
    private_folder(folder)
    (folder / _NOTE).unlink(missing_ok=True)
    for name in (_PREDICTIONS, _NOTE):
        write_atomic(folder / name, (finished_folder / name).read_bytes())


def read_note(folder: Path) -> dict[str, Any]:
    """What is known of the answers kept in `folder`. Raises `InputError` when that file is damaged.

    `evaluation_seconds`: how long they took. `label_ties`: on how many cases several labels were equally likely.
    `without_marker`: on how many the model wrote no marker. `cost`: what it took before they could be given, beside the
    arm's stages. `label_rule`: how label scores became the answers; None where the model wrote them. `form`: of its
    free text on validation cases, see `answers/_scored_labels.py`. `threshold`: the score from which a label was
    given, of answers of several labels.
    """
    with reading(folder / _NOTE):
        absent = {"cost": {}, "label_ties": 0, "without_marker": 0, "label_rule": None, "form": None, "threshold": None}
        note: dict[str, Any] = absent | json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        Cost(seconds=note["evaluation_seconds"] + sum(note[name] for name in _COUNTED)) + Cost(**note["cost"])
        len(note["key"])  # what is damaged raises here
        if note["label_rule"] is not None:
            note["label_rule"] = LabelRule.model_validate(note["label_rule"])
        if note["threshold"] is not None and not 0 <= note["threshold"] <= 1:
            raise ValueError("no probability")
    return note


@dataclass(slots=True)
class _Part:
    """The batches answered so far: a first line with the key, then one line a batch."""

    log: JsonLog
    texts: dict[int, str]
    scores: dict[int, Scores]
    snippets: dict[int, list[dict[str, Any]]]
    counts: Counter[str]
    seconds_before: float
    seconds: float

    @classmethod
    def open(cls, path: Path, key: str) -> "_Part":
        """Read the whole batches of an earlier try with the same key; anything else is begun anew."""
        log = JsonLog(path)
        with reading(path):
            rows = log.read()
            if not rows or rows[0]["key"] != key:
                write_jsonl(path, [{"key": key}])
                return cls(log, {}, {}, {}, Counter(), 0.0, 0.0)
            batches = rows[1:]
            texts = {int(index): str(text) for batch in batches for index, text in batch["texts"].items()}
            scores = {int(index): one for batch in batches for index, one in batch.get("scores", {}).items()}
            snippets = {int(index): one for batch in batches for index, one in batch.get("snippets", {}).items()}
            counts = Counter({name: sum(int(batch.get(name, 0)) for batch in batches) for name in _COUNTED})
            seconds = float(batches[-1]["seconds"]) if batches else 0.0
        return cls(log, texts, scores, snippets, counts, seconds, seconds)

    def append(
        self,
        texts: dict[int, str],
        counts: Counter[str],
        scores: Mapping[int, Scores],
        snippets: Mapping[int, Sequence[Snippet]],
        seconds: float,
    ) -> None:
        """Keep a batch; `seconds` since this process began to answer."""
        weighed = {index: [asdict(one) for one in some] for index, some in snippets.items()}
        self.texts.update(texts)
        self.scores.update(scores)
        self.snippets.update(weighed)
        self.counts.update(counts)
        self.seconds = self.seconds_before + seconds
        given = ({"scores": scores} if scores else {}) | ({"snippets": weighed} if weighed else {})
        self.log.append({"seconds": self.seconds, **counts, "texts": texts} | given)


def _row(prepared: Prepared, index: int, part: _Part) -> dict[str, Any]:
    task, example, text = prepared.task, prepared.splits.test[index], part.texts[index]
    row = {
        "id": example.id,
        "text": text,
        "answer": task.parse(text),
        "score": case_score(task, text, example),
    }
    given: dict[str, Mapping[int, Any]] = {"scores": part.scores, "snippets": part.snippets}
    return row | {name: values[index] for name, values in given.items() if index in values}


def _prediction(row: dict[str, Any]) -> Prediction:
    """A kept row; what is no number among its scores and weights raises ValueError or TypeError."""
    given = dict(row)
    if "scores" in row:
        given["scores"] = {label: float(score) for label, score in row["scores"].items()}
    if "snippets" in row:
        given["snippets"] = [_snippet(**one) for one in row["snippets"]]
    return Prediction(**given)


def _snippet(text: str, weight: float, drop: float | None) -> Snippet:
    return Snippet(text, float(weight), None if drop is None else float(drop))
