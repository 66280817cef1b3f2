"""What it takes to use an arm's model, beside what its training took: the bytes of the weights that must be loaded."""

import json
import re
from pathlib import Path

from preceptor.models import ModelSource


def bytes_to_load(source: ModelSource, policy: Path | None) -> int:
    """On disk: those of the model and of what was trained on it, or of the model that was tuned in every weight.

    policy: the folder of the stage that made it; None for the untouched model.
    """
    own = [] if policy is None else _weights(policy, ("adapter", "slots", "model"))
    whole = policy is not None and (policy / "model").is_dir()
    model = 0 if whole else sum(_of_layers(file, source.layers) for file in source.location.glob("*.safetensors"))
    return model + sum(file.stat().st_size for file in own)


def _of_layers(file: Path, layers: int | None) -> int:
    """Of a file of weights, those of a model's first layers: without the tensors of later ones."""
    if layers is None:
        return file.stat().st_size
    with file.open("rb") as opened:  # the header: its length in eight bytes, then JSON
        header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
    parts = {name: one["data_offsets"] for name, one in header.items() if name != "__metadata__"}
    return sum(end - start for name, (start, end) in parts.items() if _layer(name) < layers)


def _layer(name: str) -> int:
    """The number of the layer that a weight is of, by its name; -1 outside of them."""
    found = re.search(r"\blayers?\.(\d+)\.", name)
    return int(found[1]) if found else -1


def _weights(folder: Path, parts: tuple[str, ...]) -> list[Path]:
    return [file for part in parts for file in (folder / part).rglob("*.safetensors")]
