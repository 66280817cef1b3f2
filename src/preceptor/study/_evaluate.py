"""What an arm answers on the held-out cases: generated, read, scored, and kept batch by batch."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.engine import Numerics, generate
from preceptor.files import digest, private_folder, read_jsonl, write_atomic, write_json, write_jsonl
from preceptor.models import Policy, stop_tokens
from preceptor.progress import Advance
from preceptor.study._prepare import Prepared
from preceptor.study._score import case_score

_PREDICTIONS = "predictions.jsonl"
_NOTE = "cell.json"
"""Names the policy and the cases. Written last and removed first: a folder with one holds exactly its predictions."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an arm answered to one held-out case. `answer` is the label, the text, or INVALID."""

    id: str
    text: str
    answer: str
    score: float


def cell_key(policy_key: str, numerics: Numerics, prepared: Prepared) -> str:
    """Names everything an arm's predictions depend on: the policy, its numerics and the held-out cases."""
    return digest([policy_key, numerics.model_dump(), prepared.test_hash])


def finished(folder: Path, key: str) -> bool:
    """Whether the predictions of exactly this policy on exactly these cases stand in `folder`."""
    note = folder / _NOTE
    return note.exists() and json.loads(note.read_text(encoding="utf-8"))["key"] == key


def read_predictions(folder: Path) -> list[Prediction]:
    """The predictions kept in `folder`, in the order of the held-out cases."""
    return [Prediction(**row) for row in read_jsonl(folder / _PREDICTIONS)]


def evaluate(policy: Policy, prepared: Prepared, folder: Path, key: str, advance: Advance, *, rows: int = 32) -> None:
    """Answer every held-out case greedily and write `predictions.jsonl`.

    Each batch is on disk before the next begins; a run that was killed continues behind the last whole batch.
    """
    private_folder(folder)
    part = _Part.open(folder / "predictions.part.jsonl", key)
    advance(len(part.texts))

    def keep(batch: list[int], answers: list[list[int]]) -> None:
        texts = [policy.tokenizer.decode(ids, skip_special_tokens=True) for ids in answers]
        part.append(dict(zip(batch, texts, strict=True)), time.perf_counter() - started)
        advance(len(batch))

    started = time.perf_counter()
    generate(
        policy,
        prepared.test,
        max_new_tokens=prepared.task.answer.max_new_tokens,
        stop=stop_tokens(policy.tokenizer),
        rows=rows,
        done=frozenset(part.texts),
        on_batch=keep,
    )
    (folder / _NOTE).unlink(missing_ok=True)
    write_jsonl(folder / _PREDICTIONS, [_row(prepared, i, part.texts[i]) for i in sorted(part.texts)])
    write_json(folder / _NOTE, {"key": key, "evaluation_seconds": part.seconds})
    part.path.unlink()


def copy_predictions(finished_folder: Path, folder: Path) -> None:
    """The predictions kept in one folder, kept in another too."""
    private_folder(folder)
    (folder / _NOTE).unlink(missing_ok=True)
    for name in (_PREDICTIONS, _NOTE):
        write_atomic(folder / name, (finished_folder / name).read_bytes())


def evaluation_seconds(folder: Path) -> float:
    """How long the answers kept in `folder` took."""
    return float(json.loads((folder / _NOTE).read_text(encoding="utf-8"))["evaluation_seconds"])


@dataclass(slots=True)
class _Part:
    """The batches answered so far: a first line with the key, then one line a batch."""

    path: Path
    texts: dict[int, str]
    seconds_before: float
    seconds: float

    @classmethod
    def open(cls, path: Path, key: str) -> "_Part":
        """Read the whole batches of an earlier try with the same key; anything else is begun anew."""
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []  # a torn last line has no end
        if not lines or json.loads(lines[0])["key"] != key:
            write_atomic(path, json.dumps({"key": key}) + "\n")
            return cls(path, {}, 0.0, 0.0)
        batches = [json.loads(line) for line in lines[1:]]
        write_atomic(path, b"".join(line + b"\n" for line in lines))
        texts = {int(index): text for batch in batches for index, text in batch["texts"].items()}
        seconds = batches[-1]["seconds"] if batches else 0.0
        return cls(path, texts, seconds, seconds)

    def append(self, texts: dict[int, str], seconds: float) -> None:
        """Keep a batch; `seconds` since this process began to answer."""
        self.texts.update(texts)
        self.seconds = self.seconds_before + seconds
        with self.path.open("ab") as file:
            file.write(json.dumps({"seconds": self.seconds, "texts": texts}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _row(prepared: Prepared, index: int, text: str) -> dict[str, Any]:
    task, example = prepared.task, prepared.splits.test[index]
    return {
        "id": example.id,
        "text": text,
        "answer": task.parse(text),
        "score": case_score(task, text, example),
    }
