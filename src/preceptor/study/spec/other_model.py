"""A study with another model than its file names: which one is meant, and where its run lies."""

from pathlib import Path

from preceptor.files import expanded, is_folder
from preceptor.models import EMBEDDED_MODELS
from preceptor.study.spec.study import Study


def with_model(study: Study, model: str | None) -> Study:
    """The study with another model, if one is named. A folder is relative to the working directory, not to the study
    file.
    """
    return study if model is None else study.model_copy(update={"model": model_from_here(model)})


def model_from_here(model: str) -> str:
    """The name of a model as a study file anywhere may have it: a folder in the working directory in full."""
    folder = expanded(model)
    return str(folder.resolve()) if model not in EMBEDDED_MODELS and is_folder(folder) else model


def usual_run_folder(study: Study, model: str | None) -> Path:
    """Where a study is run if no folder is named: runs/<name>, with another model runs/<name>-<model>."""
    return Path("runs") / (f"{study.name}-{Path(study.model).name}" if model else study.name)
