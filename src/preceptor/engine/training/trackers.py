"""Experiment trackers, through transformers' own integrations. Without one, no package of a tracker is imported.

A tracker is sent names, settings and figures: no case, no answer, no id. It keeps them in the run folder; only MLflow
may be a server, on this machine unless the study allows another by name. wandb works offline.
"""

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, model_validator
from transformers import TrainerCallback

from preceptor.errors import InputError, Problem
from preceptor.extras import install_command
from preceptor.files import private_folder
from preceptor.server_url import check_url

_SENDS_MODELS: dict[str, dict[str, tuple[str, ...]]] = {
    "mlflow": {"HF_MLFLOW_LOG_ARTIFACTS": ("false", "0")},
    "wandb": {"WANDB_LOG_MODEL": ("false",), "WANDB_WATCH": ("false",)},
}
"""Variables by which transformers hands checkpoints or weights to a tracker, and the values that say no."""
_OTHER_RUN = ("MLFLOW_RUN_ID", "MLFLOW_NESTED_RUN")


class Tracker(BaseModel):
    """Where training is logged. `url` is an MLflow server's; `allow_host` names one that is not this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["tensorboard", "mlflow", "wandb"]
    url: str | None = None
    allow_host: str | None = None

    @model_validator(mode="after")
    def _nothing_leaves_unless_allowed(self) -> Self:
        if self.url is None:
            return self
        if self.name != "mlflow":
            raise ValueError(f"{self.name} is kept in the run folder and has no url; only mlflow may be a server")
        check_url(self.url, self.allow_host, example="http://127.0.0.1:5000", sent="settings and results")
        return self


@dataclass(frozen=True, slots=True)
class Tracking:
    """A tracker, the `folder` it keeps its files in, and the names of the study and of the run logged there."""

    tracker: Tracker
    folder: Path
    study: str
    run: str = ""

    def of(self, run: str) -> "Tracking":
        """The same for another part of the study."""
        return replace(self, run=run)


def find_tracker(tracker: Tracker) -> list[Problem]:
    """What stands in the way: its package is missing, the environment would have it send models, no server answers."""
    where = f"report_to {tracker.name}"
    problems = []
    spec = importlib.util.find_spec(tracker.name)
    if spec is None or spec.origin is None:  # without an origin it is just a folder of that name
        problems.append(Problem(where, "it is not installed", f"Run `{install_command(tracker.name)}`."))
    for variable, no in _SENDS_MODELS.get(tracker.name, {}).items():
        if os.environ.get(variable, no[0]).lower() not in no:
            what = f"the environment variable {variable} would hand it the model, which may repeat cases"
            problems.append(Problem(where, what, "Unset it."))
    if tracker.name == "mlflow":
        taken = [variable for variable in _OTHER_RUN if variable in os.environ]
        problems += [Problem(where, f"{variable} names another run", "Unset it.") for variable in taken]
    if tracker.url is not None:
        try:
            with httpx2.Client(trust_env=False, timeout=10.0) as client:
                client.get(f"{tracker.url.rstrip('/')}/health").raise_for_status()
        except httpx2.HTTPError as error:
            what = f"no MLflow server answers at {tracker.url} ({type(error).__name__})"
            problems.append(Problem(where, what, "Start it, or put `url` right."))
    return problems


@contextmanager
def followed(tracking: Tracking | None, *, from_step: int | None = None) -> Iterator[list[TrainerCallback]]:
    """Inside the block: what a Trainer's callbacks need to tell the tracker. `from_step`: that of the checkpoint from
    which training goes on.
    """
    if tracking is None:
        yield []
        return
    from transformers.integrations.integration_utils import MLflowCallback, TensorBoardCallback, WandbCallback

    match tracking.tracker.name:
        case "tensorboard":
            with _events(tracking, from_step) as writer:
                yield [TensorBoardCallback(writer)]
        case "mlflow":
            with _mlflow_run(tracking):
                yield [MLflowCallback()]
        case "wandb":
            with _wandb_run(tracking):
                yield [WandbCallback()]


def tell_once(
    tracking: Tracking, settings: Mapping[str, str | int], figures: Mapping[str, float], texts: Mapping[str, str]
) -> None:
    """Log something that is finished: its settings, its figures, and what they mean in words."""
    match tracking.tracker.name:
        case "tensorboard":
            with _events(tracking) as writer:
                if figures:
                    writer.add_hparams(dict(settings), dict(figures), run_name=".")
                for name, text in texts.items():
                    writer.add_text(name, text)
        case "mlflow":
            with _mlflow_run(tracking) as mlflow:
                mlflow.log_params(dict(settings))
                mlflow.log_metrics({_plain(name): value for name, value in figures.items()})
                mlflow.set_tags({_plain(name): text for name, text in texts.items()})
        case "wandb":
            with _wandb_run(tracking) as run:
                run.config.update(dict(settings))
                run.summary.update({**figures, **texts})


@contextmanager
def _events(tracking: Tracking, from_step: int | None = None) -> Iterator[Any]:
    from torch.utils.tensorboard import SummaryWriter

    folder = private_folder(tracking.folder) / "tensorboard" / tracking.run
    purge_step = (
        None if from_step is None else from_step + 1
    )  # steps that a killed run logged after its checkpoint are logged again
    with SummaryWriter(str(folder), purge_step=purge_step) as writer:
        yield writer


@contextmanager
def _mlflow_run(tracking: Tracking) -> Iterator[Any]:
    folder, url = private_folder(tracking.folder), tracking.tracker.url
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_ALLOW_HTTP_REDIRECTS": "false"}
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    if url is not None:  # a proxy that the environment names is another machine
        direct = [os.environ.get("no_proxy"), os.environ.get("NO_PROXY"), urlsplit(url).hostname]
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, direct))
    import mlflow

    mlflow.set_tracking_uri(url or f"sqlite:///{folder.absolute()}/mlflow.db")
    artifacts = None if url else (folder / "mlflow").absolute().as_uri()
    try:
        known = mlflow.get_experiment_by_name(tracking.study)
        number = known.experiment_id if known else mlflow.create_experiment(tracking.study, artifact_location=artifacts)
        with mlflow.start_run(run_name=tracking.run, experiment_id=number, log_system_metrics=False):
            yield mlflow
            mlflow.flush_async_logging()
    except mlflow.MlflowException as error:
        fix = "Mend or restart it, and run the same command again: it goes on from here."
        raise InputError(
            Problem(f"report_to mlflow {url or ''}".strip(), "it did not take what it was told", fix)
        ) from (error)


@contextmanager
def _wandb_run(tracking: Tracking) -> Iterator[Any]:
    folder = private_folder(tracking.folder)
    os.environ |= {"WANDB_ERROR_REPORTING": "false", "DO_NOT_TRACK": "true", "WANDB_SILENT": "true"}
    import wandb

    quiet_settings = wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
    )
    with wandb.init(
        project=tracking.study, name=tracking.run, dir=str(folder), mode="offline", settings=quiet_settings
    ) as run:
        yield run


def _plain(name: str) -> str:
    """`name` in the letters that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", name)
