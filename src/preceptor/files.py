"""Crash-safe writing, private folders, and content hashes."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

_LONGEST_NAME = 200
_LONGEST_PART = 255
"""Bytes of a name that file systems allow."""


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` atomically: to a temporary file (mode 0600), flushed with fsync, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Short, so that it fits wherever `path.name` does; random, because machines that share a folder share process ids.
    aside = path.with_name(f".{path.name[:40]}.{uuid4().hex[:12]}.part")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomic(path, json_text(value))


def json_text(value: Any) -> str:
    """The text that `write_json` writes."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, atomically."""
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a file that `write_jsonl` wrote."""
    # Only "\n" ends a row: str.splitlines also splits at separators that JSON does not escape.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@dataclass(frozen=True, slots=True)
class JsonLog:
    """A private file to which JSON objects are appended, one a line; each is on disk when `append` returns.

    A crash can tear the last line only. A torn one is not read, and the next `append` takes its place.
    """

    path: Path

    def read(self, *, skip_damaged: bool = False) -> list[dict[str, Any]]:
        """Its objects, [] without a file. Raises `ValueError` for a damaged line before the last, unless skipped."""
        *lines, last = (self.path.read_bytes() if self.path.exists() else b"").split(b"\n")
        found = [_object(line) for line in lines]
        if None in found and not skip_damaged:
            raise ValueError("a line is not a JSON object")
        return [row for row in (*found, _object(last)) if row is not None]

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one object."""
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            if file.read(1) not in (b"", b"\n"):  # the last line has no end
                file.seek(0)
                last = file.read().rpartition(b"\n")[2]
                if _object(last) is None:
                    file.truncate(file.tell() - len(last))
                else:
                    file.write(b"\n")
            file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _object(line: bytes) -> dict[str, Any] | None:
    """The JSON object that a line holds; None when it holds none."""
    with suppress(ValueError, RecursionError):
        row = json.loads(line)
        if isinstance(row, dict):
            return row
    return None


def publish_folder(aside: Path, final: Path) -> None:
    """Flush a finished folder to disk and rename it to `final`, which it replaces."""
    for root, _, names in os.walk(aside):
        for name in names:
            with (Path(root) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(root))
    if final.exists():
        shutil.rmtree(final)
    aside.rename(final)
    _sync_folder(final.parent)


def private_folder(path: Path) -> Path:
    """Create the folder `path` with mode 0700 and return it; an existing one gets that mode."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


def file_name(name: str) -> str:
    """`name`, if short enough for a file name with a suffix (file systems allow 255 bytes); else raises ValueError."""
    if len(name.encode(errors="surrogatepass")) > _LONGEST_NAME:
        raise ValueError(f"this name is too long for files that are called by it: at most {_LONGEST_NAME} bytes")
    return name


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~` as the user's home. Of a user whom this machine does not know it stays as it is written, so
    that there is no such file.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def why_no_path(path: str) -> str | None:
    """Why no file system can have such a path, in words; None where one can."""
    if "\0" in path:
        return "this is no path: it holds a NUL character"
    if any(len(part.encode(errors="surrogatepass")) > _LONGEST_PART for part in path.split("/")):
        return f"a name in this path is too long: at most {_LONGEST_PART} bytes"
    return None


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; False, too, of what can be no path, or lies where the user may not look."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is such a file, as `is_folder` says it."""
    try:
        return path.is_file()
    except OSError:
        return False


def digest(value: Any) -> str:
    """SHA-256 of `value` in canonical JSON, as 64 hex digits."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
