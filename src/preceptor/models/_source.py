"""Which model a name means, and whether its folder is safe to load and complete."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from preceptor.errors import InputError, Problem
from preceptor.files import digest, digest_file, expanded, is_folder, why_no_path
from preceptor.models._bits import require_bitsandbytes
from preceptor.models._embedded import EMBEDDED_MODELS, embedded_folder, is_fetched
from preceptor.models._json import read_json
from preceptor.models.families import find_family

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_NEVER_DOWNLOADED = [
    "*.bin",
    "*.pt",
    "*.pth",
    "*.pkl",
    "*.pickle",
    "*.ckpt",
    "*.py",
    "*.gguf",
    "*.onnx",
    "*.h5",
    "*.msgpack",
]
_PICKLED = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_BEHIND_PADDING = ("camembert", "mpnet", "roberta", "xlm-roberta")
"""Models whose first token has the position behind that of padding, so that as many positions are never used."""
_DESCRIBING_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
)


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that can be loaded.

    `name` is what the user wrote, `title` what results show, `location` the folder with its files (of a hub model: the
    downloaded snapshot). `load_in_4bit`: whether linear layers are quantised on loading, which makes it another model.
    `layers`: how many of its layers there are, from the first; all when None.
    """

    name: str
    title: str
    location: Path
    kind: Literal["embedded", "folder", "hub", "made"]
    load_in_4bit: bool = False
    layers: int | None = None

    def first_layers(self, layers: int) -> "ModelSource":
        """The model up to that layer, whose states are those of the whole model there. Raises `InputError` where it has
        fewer, and of a causal model, whose output layer reads the last.
        """
        where, every = f"model {self.name}", _hidden_layers(self)
        if writes(self):
            fix = "Take `layers` out, or name an encoder."
            raise InputError(Problem(where, "the first layers of a causal model write nothing", fix))
        if layers > every:
            fix = f"Set `layers` to less than {every}, or take it out."
            raise InputError(Problem(where, f"it has {every} layers, and {layers} are asked for", fix))
        if layers == every:
            return self
        return replace(self, title=f"{self.title} (first {layers} of {every} layers)", layers=layers)

    def in_4bit(self) -> "ModelSource":
        """The same model, quantised to 4 bits on loading. Raises `InputError` when bitsandbytes is not installed."""
        require_bitsandbytes()
        return replace(self, title=f"{self.title} (4-bit)", load_in_4bit=True)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A line of `preceptor models`: `size` in bytes, 0 while `fetched` is false."""

    name: str
    title: str
    location: Path
    fetched: bool
    size: int


def find_model(name: str) -> ModelSource:
    """Find an embedded model, a local folder or, when no folder has that name, a hub model.

    A hub model is downloaded here, the project's only request to the hub, and only for an id that the user named.
    Raises `InputError` with every reason why the model cannot be used.
    """
    if name in EMBEDDED_MODELS:
        return ModelSource(name, EMBEDDED_MODELS[name].title, embedded_folder(name), "embedded")
    folder = expanded(name)
    if is_folder(folder):
        source = ModelSource(name, folder.resolve().name, folder.resolve(), "folder")
    elif _HUB_ID.fullmatch(name) and not is_folder(Path(name).parent):
        source = ModelSource(name, name, _download(name), "hub")
    else:
        fix = f"Name a model folder, a hub id, or {' or '.join(f'`{one}`' for one in EMBEDDED_MODELS)}."
        raise InputError(Problem(f"model {name}", why_no_path(name) or "there is no such folder", fix))
    if problems := _problems(source):
        raise InputError(problems)
    return source


def list_models() -> list[KnownModel]:
    """The models that need no hub: the embedded ones, the default first."""
    known = EMBEDDED_MODELS.values()
    return [KnownModel(one.name, one.title, one.location, is_fetched(one.name), _size(one.location)) for one in known]


def writes(source: ModelSource) -> bool:
    """Whether the model writes text; an encoder does not."""
    return bool(find_family(source.location).WRITES)


def fingerprint(source: ModelSource) -> str:
    """SHA-256 over weights, configuration, tokenizer and chat template, independent of the folder's path.

    It differs between a model, its 4-bit quantisation and its first layers.
    """
    files = [file for file in sorted(source.location.iterdir()) if _counts(file.name)]
    whole = digest({file.name: _digest(file) for file in files})
    whole = digest([whole, "nf4"]) if source.load_in_4bit else whole
    return digest([whole, "layers", source.layers]) if source.layers else whole


def context_length(source: ModelSource) -> int | None:
    """The longest sequence in tokens, by `max_position_embeddings`; None when the configuration has no such entry.

    Raises `InputError` for a configuration that transformers cannot read.
    """
    return positions(_config(source))


def positions(config: Any) -> int | None:
    """The same of a configuration of transformers. RoBERTa's kin count their positions from behind the padding id."""
    text = config.get_text_config()
    known: int | None = getattr(text, "max_position_embeddings", None)
    unused = text.pad_token_id + 1 if text.model_type in _BEHIND_PADDING else 0
    return None if known is None else known - unused


def _config(source: ModelSource) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source.location, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # an unknown architecture or a damaged file: transformers raises many types
        what = f"transformers cannot read its config.json ({type(error).__name__})"
        fix = "Copy the file again, or name a model that transformers itself implements."
        raise InputError(Problem(f"model {source.name}", what, fix)) from error


def _hidden_layers(source: ModelSource) -> int:
    return int(_config(source).get_text_config().num_hidden_layers)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _counts(name: str) -> bool:
    return name.endswith(".safetensors") or name in _DESCRIBING_FILES


def _digest(file: Path) -> str:
    if file.name != "config.json":
        return digest_file(file)
    # The version of transformers that wrote the configuration is no property of the model.
    return digest({key: value for key, value in read_json(file).items() if key != "transformers_version"})


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, ignore_patterns=_NEVER_DOWNLOADED))
    except Exception as error:  # the hub client raises many types: offline, unknown, gated, renamed
        problem = Problem(
            f"model {hub_id}",
            f"no folder has that name and it cannot be downloaded from the hub ({type(error).__name__})",
            "Check the id and the network, or name a local model folder.",
        )
        raise InputError(problem) from error


def _problems(source: ModelSource) -> list[Problem]:
    folder, where = source.location, f"model {source.name}"
    config = folder / "config.json"
    if not config.is_file():
        return [
            Problem(where, "there is no config.json in it", "Name the folder of a whole model in Hugging Face format.")
        ]
    found = (_code_problem(folder), _weights_problem(folder), _tokenizer_problem(folder))
    return [Problem(where, what, fix) for what, fix in filter(None, found)]


def _code_problem(folder: Path) -> tuple[str, str] | None:
    for name in ("config.json", "tokenizer_config.json"):
        if "auto_map" in read_json(folder / name):
            return f"{name} asks to run code of its own (auto_map)", "Use a model that transformers itself implements."
    return None


def _weights_problem(folder: Path) -> tuple[str, str] | None:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = {str(shard) for shard in read_json(index)["weight_map"].values()}
        if strange := sorted(shard for shard in shards if not re.fullmatch(r"[\w.-]+\.safetensors", shard)):
            what = f"{index.name} names weights that are no safetensors file of this folder: {', '.join(strange)}"
            return what, "Use a folder that holds all its weights as safetensors."
        missing = sorted(shard for shard in shards if not (folder / shard).is_file())
        if missing:
            return f"weights are missing: {', '.join(missing)}", "Copy the whole folder again."
        return _damage(folder, sorted(shards))
    if (folder / "model.safetensors").is_file():
        return _damage(folder, ["model.safetensors"])
    if any(file.suffix in _PICKLED for file in folder.iterdir()):
        fix = "Save it again with `save_pretrained` on a machine where you trust the file, and use that folder."
        return "its weights are only there as pickle, which can run code when it is read", fix
    return "there is no model.safetensors in it", "Name a folder that holds safetensors weights."


def _damage(folder: Path, names: Sequence[str]) -> tuple[str, str] | None:
    """Files that are cut off, or hold something else, such as the pointer that Git LFS leaves in place of a file."""
    damaged = []
    for name in names:
        try:
            with safe_open(folder / name, framework="numpy"):
                pass
        except SafetensorError:
            damaged.append(name)
    fix = "Copy the file again in full; one of Git LFS must be pulled first."
    return (f"these weights are damaged: {', '.join(damaged)}", fix) if damaged else None


def _tokenizer_problem(folder: Path) -> tuple[str, str] | None:
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        return (
            "there is no tokenizer in it",
            "Copy tokenizer.json and tokenizer_config.json of the model into the folder.",
        )
    lacking: tuple[str, str] | None = find_family(folder).missing(folder)
    return lacking
