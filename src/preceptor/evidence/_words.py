"""Numbers and verdicts in words a clinician reads."""

from preceptor.evidence._compare import Comparison
from preceptor.evidence._verdict import FEWEST_PATIENTS, SIGNIFICANCE, Verdict, excludes_zero

_METRIC_TITLES = {"macro_f1": "macro-F1", "fact_f1": "fact-F1", "rouge_l": "ROUGE-L", "mean_score": "mean score"}

_ARM_TITLES = {"base": "the base model", "majority": "the majority answer"}


def metric_title(name: str) -> str:
    """A metric's name as people write it: `macro_f1` -> `macro-F1`."""
    return _METRIC_TITLES.get(name, name.replace("_", " "))


def arm_title(arm: str) -> str:
    """An arm's name as people write it: `base` -> `the base model`, `sft+dpo` -> `SFT+DPO`."""
    return _ARM_TITLES.get(arm, arm.upper())


def number(value: float, *, signed: bool = False) -> str:
    """Two decimals with a true minus sign; never `-0.00`."""
    rounded = round(value, 2) + 0.0
    text = f"{rounded:+.2f}" if signed and rounded else f"{rounded:.2f}"
    return text.replace("-", "\N{MINUS SIGN}")


def p_text(p: float) -> str:
    """`p < .001` or `p = .032`: three decimals, no leading zero."""
    if p < 0.001:
        return "p < .001"
    return "p > .999" if p > 0.999 else f"p = {p:.3f}".replace("0.", ".")


def sentence(
    comparison: Comparison,
    verdict: Verdict,
    *,
    task: str,
    metric: str,
    a: str,
    b: str,
    p_adjusted: float,
    price_ratio: float | None = None,
) -> str:
    """The verdict on arm `a` against arm `b` in one plain sentence: gain, interval, cases and price.

    `price_ratio` is a's cumulative training compute over b's; None where b cost nothing.
    """
    facts = [f"adjusted {p_text(p_adjusted)}", _cases(comparison)]
    if price_ratio is not None:
        facts.append(f"{price_ratio:.1f} times the training compute")
    claim = _claim(comparison, verdict, p_adjusted).format(
        tried=arm_title(a.removeprefix(f"{b}+")),  # the stage that a adds to b: in sft+dpo against sft, DPO
        other=arm_title(b),
        task=task,
        gain=_gain(comparison, metric),
    )
    text = f"{claim}, {', '.join(facts)}."
    return text[0].upper() + text[1:]


def _claim(comparison: Comparison, verdict: Verdict, p_adjusted: float) -> str:
    """What is claimed, with {tried}, {other}, {task} and {gain} to fill in."""
    if verdict == "better":
        return "{tried} is worth it on {task}: {gain} over {other}"
    if verdict == "worse":
        return "{tried} does harm on {task}: {gain} against {other}"
    if verdict == "equivalent":
        return "{other} is enough on {task}: {tried} differs from it by less than matters, {gain}"
    if comparison.patients < FEWEST_PATIENTS:
        too_few = f"at least {FEWEST_PATIENTS} patients are needed"
        return "{tried} cannot be judged against {other} on {task}, " + too_few + ": {gain}"
    at_odds = (p_adjusted < SIGNIFICANCE) != excludes_zero(comparison)
    why = ", interval and adjusted test disagree" if at_odds else ""
    return "{tried} cannot be told apart from {other} on {task}" + why + ": {gain}"


def _gain(comparison: Comparison, metric: str) -> str:
    gain = f"{number(comparison.delta, signed=True)} {metric_title(metric)}"
    if comparison.low is None or comparison.high is None:
        return gain
    return f"{gain} [{number(comparison.low)}, {number(comparison.high)}]"


def _cases(comparison: Comparison) -> str:
    if comparison.n == comparison.patients:
        return f"n = {comparison.n} patients"
    return f"n = {comparison.n} cases of {comparison.patients} patients"
