"""Models that are made from settings and from what training cases hold, in place of a folder that a user has."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from preceptor.files import private_folder, publish_folder
from preceptor.models._source import ModelSource
from preceptor.models.families import codes


class MadeModel(BaseModel):
    """A small net, trained from scratch: `{family: codes, width: 64}` in place of a model's name.

    width: of a code's vector. All its weights learn, in float32; it has no adapter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Literal["codes"]
    width: int = Field(default=64, ge=8, le=1024, multiple_of=4)


def make_model(name: str, settings: MadeModel, texts: Sequence[str], folder: Path) -> ModelSource:
    """Write the model's folder: its configuration and the codes that it knows, those of `texts`. Weights are drawn by
    each stage's seed. What stands there already and is the same stays.

    Raises ValueError where no text has any code.
    """
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    codes.make(texts, settings.width, private_folder(aside))
    if _content(aside) == _content(folder):
        shutil.rmtree(aside)
    else:
        publish_folder(aside, folder)
    return made_source(name, settings, folder)


def made_source(name: str, settings: MadeModel, folder: Path) -> ModelSource:
    """The model whose folder was made before."""
    return ModelSource(name, f"{name} ({settings.family}, {settings.width} wide)", folder, "made")


def _content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*")}
