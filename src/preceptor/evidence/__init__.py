"""What it means: scores, intervals, paired tests, correction, power, verdict. Pure functions over arrays."""

from preceptor.evidence import power
from preceptor.evidence._agreement import Agreement, Figure, Level, agreement
from preceptor.evidence._compare import Comparison, compare
from preceptor.evidence._correction import benjamini_hochberg, holm
from preceptor.evidence._estimate import Estimate, estimate, value_of
from preceptor.evidence._metrics import METRICS, Metric, sensitivity
from preceptor.evidence._sample import INVALID_CODE, Sample
from preceptor.evidence._tango import tango_interval
from preceptor.evidence._text_scores import fact_f1, rouge_l
from preceptor.evidence._verdict import FEWEST_OF_A_CLASS, FEWEST_PATIENTS, Judgement, Verdict, judge
from preceptor.evidence._words import gain, metric_title, number, p_text, sentence

__all__ = [
    "FEWEST_OF_A_CLASS",
    "FEWEST_PATIENTS",
    "INVALID_CODE",
    "METRICS",
    "Agreement",
    "Comparison",
    "Estimate",
    "Figure",
    "Judgement",
    "Level",
    "Metric",
    "Sample",
    "Verdict",
    "agreement",
    "benjamini_hochberg",
    "compare",
    "estimate",
    "fact_f1",
    "gain",
    "holm",
    "judge",
    "metric_title",
    "number",
    "p_text",
    "power",
    "rouge_l",
    "sensitivity",
    "sentence",
    "tango_interval",
    "value_of",
]
