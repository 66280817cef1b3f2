"""The design of a study, frozen before the first prediction; what is decided later is exploratory, and said to be."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count, takewhile
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.files import digest, write_json
from preceptor.study.cases import Prepared
from preceptor.study.results.cells import dangerous_labels
from preceptor.study.results.schema import Design
from preceptor.study.run.folder import RunFolder
from preceptor.study.spec.study import SENSITIVITY_MARGIN, Study


def freeze(run: RunFolder, study: Study, tasks: Sequence[Prepared]) -> Design:
    """Keep this design in `design.json`, or beside an earlier one when predictions were made under that already.

    Raises `InputError` when a design that was kept cannot be read any more.
    """
    settings = _settings(study, tasks)
    sha256 = digest(settings)
    earlier = [_read(run, number) for number in takewhile(lambda number: run.design(number).exists(), count(1))]
    answered = any(run.root.glob("cells/**/predictions*.jsonl"))
    for number, one in enumerate(earlier):
        if one["sha256"] == sha256:  # going back to the first design is no change of it
            return _design(settings, sha256, one["frozen"], changed=number > 0 or one["after_predictions"])
    frozen = datetime.now(UTC).isoformat(timespec="seconds")
    number = 1 + (len(earlier) if answered else 0)  # a design under which nothing was predicted leaves no trace
    kept = {"sha256": sha256, "frozen": frozen, "after_predictions": answered, "design": settings}
    write_json(run.design(number), kept)
    return _design(settings, sha256, frozen, changed=answered)


def _design(settings: dict[str, Any], sha256: str, frozen: str, *, changed: bool) -> Design:
    primary = [(str(a), str(b)) for a, b in settings["primary"]]
    return Design(sha256=sha256, frozen=frozen, primary=primary, margins=settings["margins"], changed=changed)


def _settings(study: Study, tasks: Sequence[Prepared]) -> dict[str, Any]:
    allowed = {one.task.name: one.entry.sensitivity_margin for one in tasks if dangerous_labels(one)}
    named = {name: margin for name, margin in allowed.items() if margin != SENSITIVITY_MARGIN}
    views = {one.task.name: {name: seen.view_key for name, seen in one.views.items()} for one in tasks if one.views}
    lists = {one.task.name: list(one.task.set_labels) for one in tasks if one.task.set_labels}
    return {
        "primary": [list(pair) for pair in study.primary_contrasts],
        "arms": sorted(study.arm_names),
        "seeds": list(study.seeds),
        "margins": {one.task.name: one.entry.margin for one in tasks},
        "metrics": {one.task.name: one.task.metric for one in tasks},
        "dangerous": {one.task.name: list(dangerous_labels(one)) for one in tasks},
        "test_sets": {one.task.name: one.test_set for one in tasks},
        # Only where it is named: so a design that was frozen before there was such a margin is found again.
        **({"sensitivity_margins": named} if named else {}),
        **({"views": views} if views else {}),
        **({"label_lists": lists} if lists else {}),
    }


def _read(run: RunFolder, number: int) -> dict[str, Any]:
    file = run.design(number)
    try:
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return {name: kept[name] for name in ("sha256", "frozen", "after_predictions")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = "the design this study began with cannot be read any more"
        raise InputError(Problem(str(file), what, "Name another folder with --output-dir.")) from error
