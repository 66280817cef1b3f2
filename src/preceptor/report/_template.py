"""Filling in a page: one style sheet, everything escaped, a content policy that lets nothing else in."""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from preceptor.errors import without_steering
from preceptor.evidence import metric_title
from preceptor.report import _numbers as numbers
from preceptor.report._adjustment import adjustment
from preceptor.report._looks import VERDICT_MARKS, arm_label, pair_label
from preceptor.study.results.schema import Results

CONCLUSIONS = {
    "dpo_worth_it": ("better", "DPO is worth it"),
    "sft_worth_it": ("better", "SFT is worth it"),
    "sft_enough": ("equivalent", "SFT is enough"),
    "sft_not_settled": ("inconclusive", "SFT had not settled"),
    "dpo_not_delivered": ("inconclusive", "DPO was not delivered"),
    "could_not_have_seen": ("inconclusive", "could not have seen a gain"),
    "simpler_is_better": ("worse", "a simpler way is better"),
    "names_the_answer": ("worse", "what does best is shown the answer"),
    "base_enough": ("equivalent", "the base model is enough"),
    "dpo_harms": ("worse", "DPO does harm"),
    "not_enough_cases": ("inconclusive", "not enough cases"),
    "descriptive": ("inconclusive", "only described"),
    "unsettled": ("inconclusive", "unsettled"),
}
"""Conclusion -> the verdict it looks like, and how it is called."""


def fill(template: str, *runs: Results, **values: Any) -> str:
    """A page on `runs` as HTML. Everything in `values` is escaped, but our own drawings, which come as `Markup`."""
    environment = _environment(runs, escaping=True)
    css = environment.loader.get_source(environment, "page.css")[0] if environment.loader else ""
    page = environment.get_template(template).render(
        css=Markup(css),  # noqa: S704 (a file of this package)
        css_hash="sha256-" + base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        marks=VERDICT_MARKS,
        conclusions=CONCLUSIONS,
        **values,
    )
    return without_steering(page)


def fill_plain(template: str, results: Results, **values: Any) -> str:
    """A text on `results` as Markdown. What the template passes through `plain` is escaped."""
    page = _environment([results], escaping=False).get_template(template)
    return without_steering(page.render(results=results, **values))


def _environment(runs: Sequence[Results], *, escaping: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("preceptor.report", "templates"),
        autoescape=escaping,  # noqa: S701 (Markdown is escaped by the filter `plain`)
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "plain": _plain,
        "value": numbers.value,
        "gain": numbers.gain,
        "interval": numbers.interval,
        "three_digits": numbers.three_digits,
        "three_digit_interval": numbers.three_digit_interval,
        "percent": numbers.percent,
        "percent0": numbers.whole_percent,
        "p_value": numbers.p_value,
        "count": numbers.count,
        "compact": numbers.compact,
        "duration": numbers.duration,
        "moment": numbers.moment,
        "score": numbers.score,
        "arm": lambda arm: arm_label(_run_of(runs, arm), arm),
        "pair": lambda contrast: pair_label(_run_of(runs, contrast.a), contrast),
        "metric": metric_title,
        "adjustment": adjustment,
    }
    return environment


def _run_of(runs: Sequence[Results], arm: str) -> Results:
    """The first of these runs that has the arm."""
    return next((run for run in runs if arm in run.study.arms), runs[0])


def drawing(svg: str) -> Markup:
    """One of our own drawings, its words escaped already."""
    return Markup(svg)  # noqa: S704


def _plain(text: object) -> str:
    """Text on one line, in which Markdown and HTML find nothing to obey."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", line)
