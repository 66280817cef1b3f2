"""What it means: scores, intervals, paired tests, correction, power, verdict. Pure functions over arrays."""

from preceptor.evidence import power
from preceptor.evidence._agreement import Agreement, Figure, Level, agreement
from preceptor.evidence._compare import COMPARING, TANGO, Comparison, compare
from preceptor.evidence._correction import benjamini_hochberg, closed_testing, holm
from preceptor.evidence._estimate import ESTIMATING, Estimate, estimate, value_of
from preceptor.evidence._figures import FigureDifference, FigureEstimate, FigureValue, compare_figure, estimate_figure
from preceptor.evidence._interactions import interaction_rate
from preceptor.evidence._mean import Mean, mean_over_cases
from preceptor.evidence._sample import INVALID_CODE, Sample
from preceptor.evidence._seeds import FEWEST_SEEDS, AcrossSeeds, across_seeds
from preceptor.evidence._shares import ShareDifference, fewest_for_margin, share_difference
from preceptor.evidence._tango import tango_interval
from preceptor.evidence._verdict import (
    FEWEST_OF_A_CLASS,
    FEWEST_PATIENTS,
    Judgement,
    Verdict,
    compared_fields,
    judge,
)
from preceptor.evidence._words import gain, lower_is_better, metric_title, number, p_text, sentence
from preceptor.evidence.metrics import Fits, Metric, find_metric, metric_names

__all__ = [
    "COMPARING",
    "ESTIMATING",
    "FEWEST_OF_A_CLASS",
    "FEWEST_PATIENTS",
    "FEWEST_SEEDS",
    "INVALID_CODE",
    "TANGO",
    "AcrossSeeds",
    "Agreement",
    "Comparison",
    "Estimate",
    "Figure",
    "FigureDifference",
    "FigureEstimate",
    "FigureValue",
    "Fits",
    "Judgement",
    "Level",
    "Mean",
    "Metric",
    "Sample",
    "ShareDifference",
    "Verdict",
    "across_seeds",
    "agreement",
    "benjamini_hochberg",
    "closed_testing",
    "compare",
    "compare_figure",
    "compared_fields",
    "estimate",
    "estimate_figure",
    "fewest_for_margin",
    "find_metric",
    "gain",
    "holm",
    "interaction_rate",
    "judge",
    "lower_is_better",
    "mean_over_cases",
    "metric_names",
    "metric_title",
    "number",
    "p_text",
    "power",
    "sentence",
    "share_difference",
    "tango_interval",
    "value_of",
]
