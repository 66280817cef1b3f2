"""What it takes to use an arm's model, beside what its training took: the bytes of the weights that must be loaded."""

from pathlib import Path

from preceptor.models import ModelSource


def bytes_to_load(source: ModelSource, policy: Path | None) -> int:
    """On disk: those of the model and of what was trained on it, or of the model that was tuned in every weight.

    policy: the folder of the stage that made it; None for the untouched model.
    """
    own = [] if policy is None else _weights(policy, ("adapter", "slots", "model"))
    whole = policy is not None and (policy / "model").is_dir()
    return sum(file.stat().st_size for file in (*own, *([] if whole else source.location.glob("*.safetensors"))))


def _weights(folder: Path, parts: tuple[str, ...]) -> list[Path]:
    return [file for part in parts for file in (folder / part).rglob("*.safetensors")]
