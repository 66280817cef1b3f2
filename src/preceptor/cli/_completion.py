"""What the shell proposes in place of an argument, of names of files alone: importing PyTorch would take seconds."""

from pathlib import Path

_BUILTIN = Path(__file__).parents[1] / "study" / "builtin"


def studies(incomplete: str) -> list[str]:
    """Built-in studies, and study files and folders, whose names begin so."""
    files = [one for one in _begun(incomplete) if one.endswith((".yaml", "/")) and not one.endswith(".task.yaml")]
    return [*_builtin(incomplete), *files]


def studies_or_data(incomplete: str) -> list[str]:
    """Built-in studies, and whatever files and folders, whose names begin so."""
    return [*_builtin(incomplete), *_begun(incomplete)]


def _builtin(incomplete: str) -> list[str]:
    return sorted(path.stem for path in _BUILTIN.glob("*.yaml") if path.stem.startswith(incomplete))


def _begun(incomplete: str) -> list[str]:
    """Paths that begin so; of folders with a slash behind them. Hidden ones are proposed when their dot is there."""
    folder, slash, name = incomplete.rpartition("/")
    try:
        there = [one for one in Path(f"{folder}{slash}").iterdir() if one.name.startswith(name)]
    except OSError:
        return []
    shown = [one for one in there if name or not one.name.startswith(".")]
    return sorted(f"{folder}{slash}{one.name}{'/' if one.is_dir() else ''}" for one in shown)
