"""A contrast in words, as parts of a conclusion's sentence: gain and margin, cases, training compute."""

from collections.abc import Mapping, Sequence

from preceptor.evidence import gain, lower_is_better, number
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.dangerous import detected
from preceptor.study.run.failures import Failure, in_words

Bounds = tuple[float | None, float | None]
"""The ends of an interval, where there is one."""


def over(contrast: Contrast, phrases: Mapping[str, str]) -> str:
    """`+0.16 macro-F1 [0.09, 0.22] for SFT+DPO over SFT`, or, where it does no better, `against SFT`."""
    word = "over" if (contrast.delta < 0 if lower_is_better(contrast.metric) else contrast.delta > 0) else "against"
    arms = f"{phrases[contrast.a]} {word} {phrases[contrast.b]}"
    return f"{gain(contrast.delta, contrast.ci or (None, None), contrast.metric)} for {arms}"


def compared(contrast: Contrast, phrases: Mapping[str, str]) -> str:
    """The gain of a over b against the margin."""
    if contrast.margin is None:
        return over(contrast, phrases)
    margin = number(contrast.margin, beside=contrast.margin)
    if not contrast.below_margin:
        return f"{over(contrast, phrases)}, where {margin} would matter"
    _, most = gained(contrast, contrast.ci_90)
    if most is None:
        return f"{over(contrast, phrases)}, so less than {margin}"
    most_shown = number(most, beside=contrast.margin)
    return f"{over(contrast, phrases)}, at most {most_shown} by its one-sided 95% bound, so less than {margin}"


def adds_too_little(stage: str, contrast: Contrast) -> str:
    """What is known of a stage that adds less than the margin: that it may do harm, or how much it may take away."""
    _, high = gained(contrast, contrast.ci)
    low_90, _ = gained(contrast, contrast.ci_90)
    if high is not None and high < 0:
        return f"since {stage} adds nothing that matters and may do harm"
    if contrast.margin is not None and low_90 is not None and low_90 > -contrast.margin:
        return f"since {stage} changes less than matters"
    return f"since {stage} adds less than matters, though how much it takes away stays open"


def gained(contrast: Contrast, interval: Bounds | None) -> Bounds:
    """An interval of the difference as gain of a over b, where less of the metric may be better."""
    low, high = interval or (None, None)
    if lower_is_better(contrast.metric):
        return None if high is None else -high, None if low is None else -low
    return low, high


def counted(contrast: Contrast) -> str | None:
    """`of 120 cases, 9 more answered rightly`, and how many dangerous ones each arm finds; None for free text."""
    counts, dangerous = contrast.counts, contrast.dangerous
    if counts is None:
        return None
    more: float = counts.only_a - counts.only_b
    which = f" (seed {contrast.seeds[0].seed})" if len(contrast.seeds) > 1 else ""
    if which and contrast.more_right is not None:  # earlier versions counted the first seed alone
        more, which = round(contrast.more_right, 1), f" (mean of {len(contrast.seeds)} seeds)"
    text = f"of {contrast.n} cases{which}, {_more(more, 'answered rightly')}"
    return f"{text}; {detected(dangerous)}" if dangerous else text


def compute(contrast: Contrast, phrases: Mapping[str, str]) -> str | None:
    """`1.2 times the training compute`; None where b cost nothing."""
    ratio = contrast.price_ratio
    return None if ratio is None else f"{ratio:.1f} times the training compute of {phrases[contrast.b]}"


def only_these_seeds(seeds: Sequence[int], lost: Sequence[Failure], phrases: Mapping[str, str]) -> str:
    """Which seeds a comparison rests on where not on all of the study's; empty where it does. lost: what failed of its
    arms.
    """
    if all(one.seed in seeds for one in lost):
        return ""
    return f" Only seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}: {in_words(lost, phrases)}."


def _more(count: float, what: str) -> str:
    if count == 0:
        return f"as many {what}"
    return f"{abs(count):g} {'more' if count > 0 else 'fewer'} {what}"
