"""Numbers and verdicts in words a clinician reads."""

from preceptor.evidence._compare import Comparison
from preceptor.evidence._verdict import SIGNIFICANCE, Judgement, excludes_zero
from preceptor.evidence.metrics import find_metric, metric_names


def metric_title(name: str) -> str:
    """The title of a metric, and of what is no metric of ours its name without underscores."""
    return find_metric(name).title if name in metric_names() else name.replace("_", " ")


def lower_is_better(name: str) -> bool:
    """Whether less of a metric is better; of what is no metric of ours, nothing is known."""
    return name in metric_names() and find_metric(name).better == "lower"


def number(value: float, *, signed: bool = False, beside: float | None = None) -> str:
    """Two decimals with a true minus sign; never `-0.00`.

    beside: a threshold, such as a margin. As many decimals as keep the number on its own side of it, six at most; of a
    threshold beside itself, all that it has.
    """
    digits = 2 if beside is None else next((some for some in range(2, 6) if _keeps_side(value, beside, some)), 6)
    rounded = round(value, digits) + 0.0
    text = f"{rounded:+.{digits}f}" if signed and rounded else f"{rounded:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _keeps_side(value: float, threshold: float, digits: int) -> bool:
    rounded = round(value, digits)
    return (rounded < threshold, rounded > threshold) == (value < threshold, value > threshold)


def p_text(p: float) -> str:
    """`p < .001` or `p = .032`: three decimals, no leading zero."""
    if p < 0.001:
        return "p < .001"
    return "p > .999" if p > 0.999 else f"p = {p:.3f}".replace("0.", ".")


def sentence(
    comparison: Comparison,
    judgement: Judgement,
    *,
    task: str,
    metric: str,
    a: str,
    b: str,
    p_adjusted: float,
    price_ratio: float | None = None,
) -> str:
    """The verdict on one arm against another in one plain sentence: gain, interval, cases and price.

    `a` and `b` are what the arms are called within a sentence: `the base model`.

    `price_ratio` is a's cumulative training compute over b's; None where b cost nothing.
    """
    facts = [f"adjusted {p_text(p_adjusted)}", _cases(comparison)]
    if price_ratio is not None:
        facts.append(f"{price_ratio:.1f} times the training compute")
    arms = {"a": a, "b": b, "task": task}
    claim = _claim(comparison, judgement, p_adjusted).format(**arms)
    text = f"{claim}: {gain(comparison.delta, (comparison.low, comparison.high), metric)}, {', '.join(facts)}."
    return text[0].upper() + text[1:]


def gain(delta: float, interval: tuple[float | None, float | None], metric: str) -> str:
    """`+0.31 macro-F1 [0.20, 0.41]`; without brackets where there is no interval. Says so where less is better."""
    text = f"{number(delta, signed=True)} {metric_title(metric)}{' (less is better)' * lower_is_better(metric)}"
    low, high = interval
    return text if low is None or high is None else f"{text} [{number(low)}, {number(high)}]"


def _claim(comparison: Comparison, judgement: Judgement, p_adjusted: float) -> str:
    """What is claimed, with {a}, {b} and {task} to fill in."""
    if judgement.descriptive:
        return "{a} cannot be judged against {b} on {task} (" + judgement.descriptive + ")"
    if judgement.verdict in ("better", "worse"):
        little = ", but by less than matters" if judgement.less_than_matters else ""
        return "{a} is " + judgement.verdict + " than {b} on {task}" + little
    if judgement.verdict == "equivalent":
        return "{a} and {b} differ by less than matters on {task}"
    at_odds = (p_adjusted < SIGNIFICANCE) != excludes_zero(comparison)
    why = ", interval and adjusted test disagree" if at_odds else ""
    return "{a} cannot be told apart from {b} on {task}" + why


def _cases(comparison: Comparison) -> str:
    if comparison.n == comparison.patients:
        return f"n = {comparison.n} patients"
    return f"n = {comparison.n} cases of {comparison.patients} patients"
