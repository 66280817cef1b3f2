"""What it means: scores, intervals, paired tests, correction, verdict. Pure functions over arrays."""

from preceptor.evidence._compare import Comparison, compare
from preceptor.evidence._estimate import Estimate, estimate
from preceptor.evidence._metrics import METRICS, Metric, sensitivity
from preceptor.evidence._sample import INVALID_CODE, Sample
from preceptor.evidence._text_scores import fact_f1, rouge_l
from preceptor.evidence._verdict import FEWEST_PATIENTS, Verdict, holm, judge
from preceptor.evidence._words import arm_title, metric_title, number, p_text, sentence

__all__ = [
    "FEWEST_PATIENTS",
    "INVALID_CODE",
    "METRICS",
    "Comparison",
    "Estimate",
    "Metric",
    "Sample",
    "Verdict",
    "arm_title",
    "compare",
    "estimate",
    "fact_f1",
    "holm",
    "judge",
    "metric_title",
    "number",
    "p_text",
    "rouge_l",
    "sensitivity",
    "sentence",
]
