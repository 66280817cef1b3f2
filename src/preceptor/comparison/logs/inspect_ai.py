"""inspect_ai: an evaluation's log, `.eval` or `.json`. Read as version 0.3.285 writes it.

A `.eval` file is a zip of JSON: `header.json` is written when the evaluation ends, `summaries.json` has every sample
with its target, metadata and scores. Members are packed with Zstandard, which `zipfile` reads from Python 3.14 on.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from lzma import LZMAError
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from preceptor.comparison.logs._fields import own_fields
from preceptor.data import Row, Table, quoted, table_of
from preceptor.errors import InputError, Problem, shortened

_ZSTANDARD = 93
"""Its number among the compression methods of zip files (PKWARE APPNOTE 6.3.8, section 4.4.5)."""
_LOCAL_HEADER = 30
"""Bytes before a member's name; the last four of them are the lengths of its name and of what follows it (4.3.7)."""
_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "no": 0.0}
"""Correct, partial, incorrect, no answer, and two more words: the tool's own numbers for them."""
_LARGEST = 1_000_000_000
"""Bytes of a member, unpacked: a small file can claim any number."""
_MOST_SHOWN = 5

Json = dict[str, Any]


def knows(path: Path) -> bool:
    """Whether it is a `.eval` file, or a `.json` file that holds one object; a table in JSON is a list."""
    if path.suffix.lower() != ".json":
        return path.suffix.lower() == ".eval"
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def read(path: Path) -> Table:
    """A row a sample. With several scorers, answers are called `answer,<scorer>` and scores by the scorer."""
    header, samples = (_from_zip if path.suffix.lower() == ".eval" else _from_json)(path)
    try:
        if problems := [*_unfinished(path, header), *_unscored(path, samples)]:
            raise InputError(problems)
        alone = len({name for sample in samples for name in sample["scores"]}) == 1
        rows = [Row(number, _cells(one, alone=alone)) for number, one in enumerate(samples, 1)]
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        what = f"its samples are not as inspect_ai 0.3.285 writes them ({type(error).__name__})"
        raise InputError(Problem(str(path), what, "Give it as a table: JSON lines with `id` and `score`")) from None
    return table_of(path, rows, unit="sample")


def _from_json(path: Path) -> tuple[Json, list[Json]]:
    try:
        log = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(str(path), f"this is not JSON: {_place(error)}", "Write it again")) from None
    if not {"eval", "samples"} <= log.keys():
        what = "this is neither a list of objects nor a log of inspect_ai with its samples"
        raise InputError(Problem(str(path), what, "Write a list of objects, [{...}, {...}], one object a case"))
    return log, log["samples"]


def _from_zip(path: Path) -> tuple[Json, list[Json]]:
    try:
        with ZipFile(path) as archive:
            if not {"header.json", "summaries.json"} <= set(archive.namelist()):
                raise InputError(_not_over(path, "started"))
            header, samples = (json.loads(_member(archive, path, name)) for name in ("header.json", "summaries.json"))
            return header, samples
    except PermissionError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}", "Check its rights")) from None
    except (BadZipFile, ValueError, OSError, RuntimeError, struct.error, zlib.error, LZMAError) as error:
        what = f"this is no log of inspect_ai, or a damaged one ({type(error).__name__})"
        raise InputError(Problem(str(path), what, "Copy it again from where it was written")) from None


def _member(archive: ZipFile, path: Path, name: str) -> bytes:
    """The bytes of one member of the zip."""
    member = archive.getinfo(name)
    if member.file_size > _LARGEST:
        what = f"{name} in it has {member.file_size / 1e9:.1f} GB, and at most {_LARGEST / 1e9:.0f} GB are read"
        raise InputError(Problem(str(path), what, "Give it as a table: JSON lines with `id` and `score`"))
    if member.compress_type != _ZSTANDARD:
        return archive.read(member)
    import pyarrow

    with path.open("rb") as file:
        file.seek(member.header_offset)
        file.seek(sum(struct.unpack("<HH", file.read(_LOCAL_HEADER)[-4:])), 1)
        packed = file.read(member.compress_size)
    data: bytes = pyarrow.decompress(packed, member.file_size, codec="zstd", asbytes=True)
    if zlib.crc32(data) != member.CRC:
        raise BadZipFile
    return data


def _place(error: Exception) -> str:
    return f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "see its text"


def _unfinished(path: Path, header: Json) -> Iterator[Problem]:
    """An evaluation that did not come to its end, or whose samples were taken back."""
    if header.get("status") != "success":
        yield _not_over(path, str(header.get("status")))
    if header.get("invalidated"):
        yield Problem(str(path), "samples of this log were marked as invalid", "Run the evaluation again")


def _not_over(path: Path, status: str) -> Problem:
    what = f"the evaluation did not end well: its status is {quoted(status)}"
    return Problem(str(path), what, "Finish it with `inspect eval-retry`, and give the new log")


def _unscored(path: Path, samples: list[Json]) -> Iterator[Problem]:
    """Samples that failed, and answers of which a case has several."""
    epochs = max((int(sample.get("epoch", 1)) for sample in samples), default=1)
    if epochs > 1:
        fix = "Evaluate with `--epochs 1`; to compare several runs, give the log of each"
        yield Problem(str(path), f"it has {epochs} epochs, so a case has {epochs} answers", fix)
    fix = "Finish it with `inspect eval-retry`, and give the new log"
    failed = [
        Problem(f"{path}, sample {number}", f"sample {quoted(one.get('id'))} failed or has no score", fix)
        for number, one in enumerate(samples, 1)
        if one.get("error") or not one.get("scores")
    ]
    yield from shortened(failed, _MOST_SHOWN, str(path), "samples like these", fix)


def _cells(sample: Json, *, alone: bool) -> Json:
    """The columns of one sample; `alone`: there is one scorer, and its answer is the answer."""
    target = sample.get("target")
    one_right = target[0] if isinstance(target, list) and len(target) == 1 else target
    cells = {"id": sample.get("id"), "gold": one_right if isinstance(one_right, str) else ""}
    scores: Json = {}
    for scorer, score in sample["scores"].items():
        answer = score.get("answer") or ""
        scores |= dict(_numbers(scorer, score.get("value"))) | {f"answer,{scorer}": answer}
        if alone:
            cells |= {"answer": answer} | ({"score": scores[scorer]} if scorer in scores else {})
    return own_fields(sample.get("metadata") or {}) | scores | cells


def _numbers(scorer: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A score under its scorer's name; each of several numbers under `<scorer>,<name>`."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield f"{scorer},{name}", _GRADES.get(str(one), one)
    elif not isinstance(value, list):
        yield scorer, _GRADES.get(str(value), value)
