"""Export: an arm's model as a folder that other programs load, checked against the study's answers."""

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
from preceptor.files import private_folder, publish_folder, write_atomic
from preceptor.models import (
    PROMPT_FILE,
    class_norms,
    in_front,
    load_tokenizer,
    measured_template,
    reads_snippets,
    stop_tokens,
)
from preceptor.ship._classifier import classifier, why_not
from preceptor.ship._export_metadata import MANIFEST, write_metadata
from preceptor.ship._gguf import LEAST_AGREEMENT, GGUFType, cannot_be_gguf, free_text, write_gguf
from preceptor.ship._head import head_chunks, head_pool, head_slot, head_weights, write_head
from preceptor.ship._merge import Rounding, merged
from preceptor.ship._modelfile import modelfile
from preceptor.ship._parity import Parity, short_check
from preceptor.ship._reload import GGUF_FILE, To, answers_of_export
from preceptor.ship._slots import adapters_of, folders_in_export, folders_in_run
from preceptor.study import ArmOfRun

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True)
class Exported:
    """A written export. rounding: rounding error of merged weights, None for an adapter; parity: the export's answers
    to held-out cases, None where these are not on this machine. free_text: what is to be known of a file whose readers
    write text, where the study scored labels. head_beside: why the head of merged weights stands in a file of its own.
    """

    folder: Path
    rounding: Rounding | None
    parity: Parity | None
    free_text: str | None = None
    head_beside: str | None = None


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
    """Write the arm's model to `folder` atomically, private to the user, and only if it passes the parity check.

    card: the model card, Markdown. gguf_type: dtype of a GGUF file's matrices, by default float32 if the study measured
    in float32, else float16. threshold: the least share of held-out answers that must equal the study's. Raises
    `InputError` with every reason why this cannot be exported, `PreceptorError` when the parity check fails, or when a
    GGUF file's free text would not give the labels that the study scored; then nothing is left behind.
    """
    folder = folder.expanduser().resolve()
    tokenizer = load_tokenizer(arm.source)
    if problems := [*_unavailable(arm, to, tokenizer), *_obstacles(folder, overwrite)]:
        raise InputError(problems)
    form = arm.form if to == "gguf" else None
    if form is not None and form["agreement"] < LEAST_AGREEMENT:
        raise PreceptorError(_not_by_text(free_text(form)))
    ends = [] if arm.by_head else sorted(stop_tokens(tokenizer))
    stops = [str(tokenizer.convert_ids_to_tokens(token)) for token in ends]
    with _staging_folder(folder) as part:
        stored = gguf_type or ("f32" if arm.numerics.dtype == "float32" else "f16")
        rounding, head_beside = _write(arm, to, part, tokenizer, stored)
        parity = short_check(arm, answers_of_export(arm, to, part), console)
        if parity is not None and not parity.passes(threshold):
            raise PreceptorError(_parity_failure(parity))
        write_metadata(arm, to, part, card, stops, rounding, parity, head_beside)
        for path in part.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        publish_folder(part, folder)
    return Exported(folder, rounding, parity, free_text(form) if form else None, head_beside)


def _unavailable(arm: ArmOfRun, to: To, tokenizer: Any) -> list[Problem]:
    """Why this arm cannot be exported as `to`."""
    if to == "adapter" and arm.folder is None:
        what = f"{arm.arm} is the untouched model, which has no adapter"
        return [Problem("--to adapter", what, "Name an arm that was tuned, or take `--to merged`")]
    if to == "adapter" and arm.folder is not None and (arm.folder / "model").is_dir():
        what = "the study tuned every weight of it, so there is no adapter"
        return [Problem("--to adapter", what, "Take `--to merged`")]
    by_snippets = arm.by_head and reads_snippets(head_slot(arm))
    if by_snippets and arm.made_field is None:
        what = f"the head of {arm.arm} reads snippets, and the arm is shown none that the study made"
        return [Problem(f"--to {to}", what, "Name an arm on snippets, or one whose head reads the text itself")]
    if arm.made_field is not None and not by_snippets:
        what = f"{arm.arm} reads {arm.made_field}, which the study made, as one text"
        return [Problem(f"--to {to}", what, "Name an arm whose head reads each snippet by itself")]
    if class_norms(arm.source):
        what = (
            f"{arm.arm} has the first {arm.source.layers} layers of a model whose class norms what its last layer gives"
        )
        return [Problem(f"--to {to}", what, "Name an arm of the whole model, or of one of another type")]
    front = [name for name, slot in adapters_of(arm).items() if in_front(slot)]
    if to != "adapter" and front:
        what = f"the vectors of {front[0]} stand in front of the tokens, so they cannot be merged into weights"
        return [Problem(f"--to {to}", what, "Take `--to adapter`")]
    if to == "gguf" and arm.by_head:
        what = f"{arm.arm} answers by a head, which llama.cpp does not have"
        return [Problem("--to gguf", what, "Take `--to merged` or `--to adapter`, and transformers")]
    if to == "gguf":
        config = AutoConfig.from_pretrained(arm.source.location, local_files_only=True, trust_remote_code=False)
        problem = cannot_be_gguf(config, tokenizer)
        return [problem] if problem else []
    return []


def _obstacles(folder: Path, overwrite: bool) -> list[Problem]:
    """Why `folder` cannot be written to. Only an earlier export is ever replaced."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return []
    if not _is_export(folder):
        return [Problem(str(folder), "something else lies there", "Name a folder that does not exist yet")]
    if not overwrite:
        return [Problem(str(folder), "an export lies there already", "Name another folder, or add --overwrite")]
    return []


def _is_export(folder: Path) -> bool:
    """Whether the folder holds nothing but an export."""
    try:
        names = set(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    known = names | {MANIFEST} | {Path(name).parent.as_posix() for name in names}
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")} <= known


@contextmanager
def _staging_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, private to the user, removed afterwards.

    A killed process leaves it behind for the next export to remove; the lock beside it marks running exports.
    """
    if folder.parent.exists() and not folder.parent.is_dir():
        raise InputError(Problem(str(folder.parent), "is a file", "Name a folder that does not exist yet"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder.parent)
    part = folder.parent / f".export-{uuid4().hex}.part"
    with FileLock(part.with_suffix(".lock"), mode=0o600):
        part.mkdir(mode=0o700)
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)
            part.with_suffix(".lock").unlink(missing_ok=True)


def _remove_leftovers(parent: Path) -> None:
    """Remove what killed exports left. Folders without our lock, or whose lock is held, are not touched."""
    for path in sorted(parent.glob(".export-*.lock")):
        if not re.fullmatch(r"\.export-[0-9a-f]{32}\.lock", path.name) or path.is_symlink():
            continue
        try:
            with FileLock(path, timeout=0, mode=0o600):
                part = path.with_suffix(".part")
                if part.is_dir() and not part.is_symlink():
                    shutil.rmtree(part, ignore_errors=True)
                if not part.exists():
                    path.unlink(missing_ok=True)
        except (Timeout, OSError):  # another export is running, or another user owns it
            continue


def _write(
    arm: ArmOfRun, to: To, folder: Path, tokenizer: Any, gguf_type: GGUFType
) -> tuple[Rounding | None, str | None]:
    """Write the files; see `rounding` and `head_beside` of `Exported`."""
    if to == "adapter":
        if arm.by_head:
            write_head(arm, folder)
        own = folders_in_run(arm)
        for name, into in folders_in_export(own, folder).items():
            for file in (*_ADAPTER_FILES, *([PROMPT_FILE] if (own[name] / PROMPT_FILE).is_file() else [])):
                shutil.copyfile(own[name] / file, private_folder(into) / file)
        _write_tokenizer(tokenizer, folder)
        return None, None
    dtype = arm.numerics.torch_dtype
    if to == "gguf":
        dtype = torch.float16 if gguf_type == "f16" else torch.float32
    model, rounding = merged(arm, dtype)
    if to == "gguf":
        name = f"{arm.source.title}, {arm.arm} of {arm.study.name}, {arm.task.name}"
        write_gguf(model, tokenizer, folder / GGUF_FILE, name, gguf_type)
        write_atomic(folder / "Modelfile", modelfile(arm, tokenizer, GGUF_FILE))
        return rounding, None
    head_beside: str | None = None
    if arm.by_head:
        head_beside = why_not(model.config, head_weights(arm), head_pool(arm), tokenizer, head_chunks(arm))
    if head_beside:
        write_head(arm, folder)
    elif arm.by_head:
        labels, several = arm.task.answer.labels, bool(arm.task.set_labels)
        model = classifier(model, head_weights(arm), tuple(labels), tokenizer, several=several)
    else:
        model.generation_config = GenerationConfig(
            do_sample=False,
            max_new_tokens=arm.task.answer.max_new_tokens,
            eos_token_id=sorted(stop_tokens(tokenizer)),
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    model.to(dtype).save_pretrained(folder)
    _write_tokenizer(tokenizer, folder)
    return rounding, head_beside


def _write_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Save it with the study's chat template, if it has one. Modifies the tokenizer: do not use it afterwards."""
    if tokenizer.chat_template:
        tokenizer.chat_template = measured_template(tokenizer)
    for key in ("local_files_only", "is_local", "trust_remote_code"):  # loading options of ours
        tokenizer.init_kwargs.pop(key, None)
    tokenizer.save_pretrained(folder)


def _not_by_text(said: str) -> str:
    advice = "`preceptor serve` scores labels; so can whatever reads `--to merged` or `--to adapter`"
    return f"{said}. That is below {LEAST_AGREEMENT:.0%}, so nothing was written: {advice}"


def _parity_failure(parity: Parity) -> str:
    cause = f" Likely cause: {parity.cause}" if parity.cause else ""
    advice = (
        "This is not the model that was measured, so nothing was written. --threshold says how many answers must agree"
    )
    return f"{parity}.{cause} {advice}"
