"""The way out: an arm's model as a folder that other programs load, checked against what was measured."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from filelock import FileLock, Timeout
from rich.console import Console
from transformers import AutoConfig, GenerationConfig

from preceptor.errors import InputError, PreceptorError, Problem
from preceptor.files import publish_folder, write_atomic
from preceptor.models import load_tokenizer, measured_template, stop_tokens
from preceptor.ship._export_papers import MANIFEST, write_papers
from preceptor.ship._gguf import GGUFType, cannot_be_gguf, write_gguf
from preceptor.ship._load_again import GGUF_FILE, To, answers_again
from preceptor.ship._merge import Rounding, merged
from preceptor.ship._modelfile import modelfile
from preceptor.ship._parity import Parity, short_check
from preceptor.study import ArmOfRun

_KEPT = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. rounding: what storing merged weights cost, None for an adapter; parity: how the export
    answered held-out cases, None where these are not on this machine.
    """

    folder: Path
    rounding: Rounding | None
    parity: Parity | None


def export(
    arm: ArmOfRun,
    to: To,
    folder: Path,
    *,
    card: str = "",
    gguf_type: GGUFType | None = None,
    threshold: float = 1.0,
    overwrite: bool = False,
    console: Console | None = None,
) -> Exported:
    """Write the arm's model to `folder`: whole, closed to other users, and only if it answers as it was measured.

    card: the model card, Markdown. gguf_type: what a GGUF file's matrices are stored in; by default float32 where the
    study measured in float32, else float16. threshold: the least share of held-out answers that must be the study's.
    Raises `InputError` with every reason why this cannot be exported, `PreceptorError` when it answers otherwise; then
    nothing is left behind.
    """
    folder = folder.expanduser().resolve()
    tokenizer = load_tokenizer(arm.source)
    if problems := [*_not_there(arm, to, tokenizer), *_in_the_way(folder, overwrite)]:
        raise InputError(problems)
    stops = [str(tokenizer.convert_ids_to_tokens(token)) for token in sorted(stop_tokens(tokenizer))]
    with _aside(folder) as aside:
        rounding = _write(arm, to, aside, tokenizer, gguf_type or ("f32" if arm.numerics.dtype == "float32" else "f16"))
        parity = short_check(arm, answers_again(arm, to, aside), console)
        if parity is not None and not parity.passes(threshold):
            raise PreceptorError(_otherwise(parity))
        write_papers(arm, to, aside, card, stops, rounding, parity)
        for file in aside.iterdir():
            file.chmod(0o600)
        publish_folder(aside, folder)
    return Exported(folder, rounding, parity)


def _not_there(arm: ArmOfRun, to: To, tokenizer: Any) -> list[Problem]:
    """Why there is nothing of this kind to export."""
    if to == "adapter" and arm.folder is None:
        what = f"{arm.arm} is the untouched model, which has no adapter"
        return [Problem("--to adapter", what, "Name an arm that was tuned, or take `--to merged`")]
    if to == "adapter" and arm.folder is not None and not (arm.folder / "adapter").is_dir():
        what = "the study tuned every weight (`adapter: none`), so there is no adapter"
        return [Problem("--to adapter", what, "Take `--to merged`")]
    if to == "gguf":
        config = AutoConfig.from_pretrained(arm.source.location, local_files_only=True, trust_remote_code=False)
        problem = cannot_be_gguf(config, tokenizer)
        return [problem] if problem else []
    return []


def _in_the_way(folder: Path, overwrite: bool) -> list[Problem]:
    """Why nothing can be written there. Only an earlier export is ever replaced."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return []
    if not _is_export(folder):
        return [Problem(str(folder), "something else lies there", "Name a folder that does not exist yet")]
    if not overwrite:
        return [Problem(str(folder), "an export lies there already", "Name another folder, or add --overwrite")]
    return []


def _is_export(folder: Path) -> bool:
    """Whether nothing lies there but what an export wrote."""
    try:
        names = set(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return {path.name for path in folder.iterdir()} <= names | {MANIFEST}


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, closed to other users, which is gone afterwards.

    Of a process that was killed it stays until the next export comes by; the lock beside it tells whose work goes on.
    """
    if folder.parent.exists() and not folder.parent.is_dir():
        raise InputError(Problem(str(folder.parent), "is a file", "Name a folder that does not exist yet"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder.parent)
    aside = folder.parent / f".export-{uuid4().hex}.part"
    with FileLock(aside.with_suffix(".lock"), mode=0o600):
        aside.mkdir(mode=0o700)
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            aside.with_suffix(".lock").unlink(missing_ok=True)


def _remove_leftovers(parent: Path) -> None:
    """What killed exports left here. Without a lock of ours beside it, or with one that is held, nothing is touched."""
    for path in sorted(parent.glob(".export-*.lock")):
        if not re.fullmatch(r"\.export-[0-9a-f]{32}\.lock", path.name) or path.is_symlink():
            continue
        try:
            with FileLock(path, timeout=0, mode=0o600):
                aside = path.with_suffix(".part")
                if aside.is_dir() and not aside.is_symlink():
                    shutil.rmtree(aside, ignore_errors=True)
                if not aside.exists():
                    path.unlink(missing_ok=True)
        except (Timeout, OSError):  # another export is at work, or what lies there is another user's
            continue


def _write(arm: ArmOfRun, to: To, folder: Path, tokenizer: Any, gguf_type: GGUFType) -> Rounding | None:
    if to == "adapter":
        assert arm.folder is not None
        for name in _KEPT:
            shutil.copyfile(arm.folder / "adapter" / name, folder / name)
        _write_tokenizer(tokenizer, folder)
        return None
    dtype = arm.numerics.torch_dtype
    if to == "gguf":
        dtype = torch.float16 if gguf_type == "f16" else torch.float32
    model, rounding = merged(arm, dtype)
    if to == "gguf":
        name = f"{arm.source.title}, {arm.arm} of {arm.study.name}, {arm.task.name}"
        write_gguf(model, tokenizer, folder / GGUF_FILE, name, gguf_type)
        write_atomic(folder / "Modelfile", modelfile(arm, tokenizer, GGUF_FILE))
        return rounding
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=arm.task.answer.max_new_tokens,
        eos_token_id=sorted(stop_tokens(tokenizer)),
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.to(dtype).save_pretrained(folder)
    _write_tokenizer(tokenizer, folder)
    return rounding


def _write_tokenizer(tokenizer: Any, folder: Path) -> None:
    """With the chat template as the study put it. The tokenizer is changed: ask it for nothing else afterwards."""
    tokenizer.chat_template = measured_template(tokenizer)
    for ours in ("local_files_only", "is_local", "trust_remote_code"):  # how it was loaded here
        tokenizer.init_kwargs.pop(ours, None)
    tokenizer.save_pretrained(folder)


def _otherwise(parity: Parity) -> str:
    cause = f" Likely cause: {parity.cause}" if parity.cause else ""
    said = (
        "This is not the model that was measured, so nothing was written. --threshold says how many answers must agree"
    )
    return f"{parity}.{cause} {said}"
