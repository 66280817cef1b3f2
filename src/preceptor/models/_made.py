"""Models that a study makes from settings, in place of a folder that a user has: trained from scratch by its stages."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from preceptor.errors import InputError, Problem
from preceptor.files import private_folder, publish_folder
from preceptor.models._blueprint import blueprint
from preceptor.models._json import read_json
from preceptor.models._policy import load_policy
from preceptor.models._source import ModelSource, writes
from preceptor.models._tokens import load_tokenizer
from preceptor.models.families import codes, find_family, lstm


class _Family(BaseModel):
    """Which family a made model is of; all its weights learn, in float32, and it has no adapter."""

    model_config = ConfigDict(frozen=True)

    family: Literal["codes", "lstm"]


class CodeSetsSettings(_Family):
    """A small net over visits in codes: `{family: codes, width: 64}` in place of a model's name.

    width: of a code's vector.
    """

    model_config = ConfigDict(extra="forbid")

    family: Literal["codes"]
    width: int = Field(default=64, ge=8, le=1024, multiple_of=4)

    @property
    def phrase(self) -> str:
        """What titles say of it."""
        return f"{self.family}, {self.width} wide"


class LSTMSettings(_Family):
    """A small net that reads texts forwards and backwards: `{family: lstm, words: all-minilm-l6-v2}`.

    words: the encoder, as `model` names one, whose tokenizer and frozen word vectors it has. width: numbers of a state
    in each direction. attention: whether a layer of soft attention lies on the states.
    """

    model_config = ConfigDict(extra="forbid")

    family: Literal["lstm"]
    words: str
    width: int = Field(default=128, ge=8, le=1024)
    layers: int = Field(default=2, ge=1, le=8)
    attention: bool = False

    @property
    def phrase(self) -> str:
        """What titles say of it; `words` may be a path of this machine."""
        attention = " with attention" if self.attention else ""
        return f"{self.family}, {self.layers} x {self.width}{attention}, on the word vectors of {Path(self.words).name}"


MadeModel = CodeSetsSettings | LSTMSettings
_SETTINGS: Mapping[str, Any] = {"codes": CodeSetsSettings, "lstm": LSTMSettings}


def made_settings_of(raw: Mapping[str, Any]) -> MadeModel:
    """What a study file says of a made model. Raises pydantic's `ValidationError`."""
    found: MadeModel = _SETTINGS.get(str(raw["family"]), _Family).model_validate(raw)
    return found


def make_code_sets(name: str, settings: CodeSetsSettings, texts: Sequence[str], folder: Path) -> ModelSource:
    """Write the model's folder: its configuration and the codes that it knows, those of `texts`. Weights are drawn by
    each stage's seed. What stands there already and is the same stays.

    Raises ValueError where no text has any code.
    """
    _publish(lambda aside: codes.make(texts, settings.width, aside), folder)
    return made_source(name, settings, folder)


def holds_codes(texts: Sequence[str]) -> bool:
    """Whether any of the texts has sets of codes, which `make_code_sets` needs."""
    return bool(codes.kinds_in(texts))


def make_lstm(name: str, settings: LSTMSettings, words: ModelSource, folder: Path) -> ModelSource:
    """The same of a net that reads texts, with the tokenizer and the word vectors of `words`: no vectors where its
    weights are not here, as for a plan.

    Raises `InputError` unless `words` is an encoder.
    """
    if writes(words):
        what = f"it reads a text between an encoder's own first and last token, and {words.title} has none"
        raise InputError(Problem(f"models: {name}: words", what, "Name an encoder."))
    tokenizer, vectors, size = load_tokenizer(words), _word_vectors(words), (settings.width, settings.layers)
    _publish(lambda aside: lstm.make(tokenizer, vectors, *size, settings.attention, aside), folder)
    return made_source(name, settings, folder)


def made_source(name: str, settings: MadeModel, folder: Path) -> ModelSource:
    """The model whose folder was made before."""
    return ModelSource(name, f"{name} ({settings.phrase})", folder, "made")


def how_to_load(source: ModelSource) -> str | None:
    """How other programs load a made model; None for any other, which transformers alone loads."""
    if source.kind != "made":
        return None
    family = find_family(source.location)
    plain = [family.in_torch(read_json(source.location / "config.json"))] if hasattr(family, "in_torch") else []
    known = "`import preceptor.models` makes this kind of model known to transformers, whose `AutoModel` then loads it"
    return "; without it, ".join([known, *plain]) + "."


def _word_vectors(source: ModelSource) -> torch.Tensor:
    """[vocab_size, word_size], on the device `meta` where there are no weights."""
    here = any(source.location.glob("*.safetensors"))
    model: Any = load_policy(source, None, dtype=torch.float32).model if here else blueprint(source, {}, torch.float32)
    weight: torch.Tensor = model.get_input_embeddings().weight
    return weight.detach().to("cpu" if here else "meta")


def _publish(make: Callable[[Path], None], folder: Path) -> None:
    """Have `make` write a folder, and put it in the place of `folder` unless that holds the same."""
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    make(private_folder(aside))
    if _content(aside) == _content(folder):
        shutil.rmtree(aside)
    else:
        publish_folder(aside, folder)


def _content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*")}
