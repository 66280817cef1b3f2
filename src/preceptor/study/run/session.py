"""What a run folder is begun with, and goes on with: numerics, study file, tasks and what was found in the data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from preceptor.engine import Numerics, NumericsChoice, choose_numerics
from preceptor.errors import InputError, Problem
from preceptor.files import json_text, write_atomic
from preceptor.study.cases import Checked
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.study_folder import write_study_folder
from preceptor.study.spec.study import Study
from preceptor.tasks import Split


def numerics_of(study: Study, run: RunFolder) -> Numerics:
    """What the study asks for; `auto` is what this run was begun with, else what suits this machine."""
    choice = study.numerics
    if study.adapter is None:  # sixteen bits would round the steps of a weight away
        choice = choice.model_copy(update={"dtype": "float32"})
    if run.study.exists():
        begun = _begun(run)["numerics"]
        choice = NumericsChoice(**{k: begun.get(k, v) if v == "auto" else v for k, v in choice.model_dump().items()})
    return choose_numerics(choice)


def _begun(run: RunFolder) -> dict[str, Any]:
    """The study this folder was begun with. Raises InputError when it cannot be read any more."""
    try:
        begun: dict[str, Any] = yaml.safe_load(run.study.read_text(encoding="utf-8"))
        NumericsChoice.model_validate(begun["numerics"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        what = "what this run was begun with cannot be read any more"
        raise InputError(Problem(str(run.study), what, "Name another folder with --output-dir.")) from error
    return begun


def write_what_is_studied(run: RunFolder, study: Study, checked: Sequence[Checked], base_folder: Path) -> None:
    """The study, its tasks and what was found in the data. Results of anything else are forgotten.

    Old results beside new settings would be believed to belong together: they go before anything is changed, and what
    is already as it should be is not touched, so that whenever this is cut off, results that stand are those of what
    stands beside them.
    """
    if run.study.exists():
        _begun(run)
    written = {
        run.study: yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        run.preflight: json_text({one.task.name: preflight_of(one) for one in checked}),
    } | {run.task(one.task.name): one.task_yaml for one in checked}
    other = {path: text for path, text in written.items() if not path.is_file() or path.read_bytes() != text.encode()}
    dropped = [path for path in (run.root / "tasks").glob("*.yaml") if path not in written]
    if other or dropped:
        run.results.unlink(missing_ok=True)
    for path, text in other.items():
        write_atomic(path, text)
    for path in dropped:
        path.unlink()
    write_study_folder(run, base_folder)


def preflight_of(checked: Checked) -> dict[str, Any]:
    """A task's entry in `preflight.json`."""
    read = checked.read
    return checked.preflight.to_json() | {
        "read": len(read.examples) + len(read.refused),
        "refused": len(read.refused),
        "sha256": read.sha256,
        "not_drawn": checked.not_drawn,
        "split": {name: [one.id for one in getattr(checked.splits, name)] for name in get_args(Split)},
        "encodings": {Path(name).name: encoding for name, encoding in read.encodings.items()},
    }
