"""Metrics: one file each, found by its name; adding a metric is adding a file.

Such a file has
- `title: str`, as it stands in a sentence, and `explanation: str`, for a reader of the report;
- `fits`: what the metric rates, see `Fits`; `better`: whether a higher or a lower value is;
- `value(sample, weights) -> Array`: weights [rows, cases], how often each case counts -> [rows], the metric under each
  row; NaN where it is undefined. It need not be a sum over cases.

It may have
- `score(gold, answer) -> float`, where it is the mean of one score a case: that score, from 0 to 1; of texts, or of
  frozen sets for `facts` and `label_sets`; `score(gold, answer, labels)` where it also has `needs_positives`;
- `hits(sample) -> Array`, where it is the share of cases with a property: [cases] bool, so that exact tests of two
  proportions hold;
- `probabilities = True`, where label scores are to be probabilities: between 0 and 1, together 1;
- `needs_positives = True`, where it needs the `labels` that a task names beside it: positive labels, which it reads
  from `sample.positives`, or phrases. Such a metric is never a task's main one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence._sample import Floats, Sample

Fits = Literal["labels", "scores", "label_scores", "label_sets", "set_scores", "facts", "text"]
"""One label a case, one number, a number for each label, several labels, a number for each of which a case may have
several, facts found in a text, or free text."""

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """What a file of this folder has; `name` is the file's."""

    name: str
    title: str
    explanation: str
    fits: Fits
    better: Better
    value: Callable[[Sample, Floats], Floats]
    score: Callable[..., float] | None = None
    hits: Callable[[Sample], NDArray[np.bool_]] | None = None
    needs_positives: bool = False
    probabilities: bool = False


def metric_names() -> list[str]:
    """The metrics that can be named as `metric:` and under `also:`."""
    return sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))


@cache
def find_metric(name: str) -> Metric:
    """The metric of `metrics/<name>.py`; ValueError, with the names there are, when there is none."""
    if name not in metric_names():
        raise ValueError(f"there is no metric {name!r}; there are {', '.join(metric_names())}")
    file = import_module(f"{__name__}.{name}")
    return Metric(
        name,
        file.title,
        file.explanation,
        file.fits,
        file.better,
        file.value,
        score=getattr(file, "score", None),
        hits=getattr(file, "hits", None),
        needs_positives=getattr(file, "needs_positives", False),
        probabilities=getattr(file, "probabilities", False),
    )
