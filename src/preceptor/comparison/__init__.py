"""The statistics of a study for any two files of predictions: nothing is trained, and PyTorch is not imported."""

from preceptor.comparison._compare import compare_predictions
from preceptor.comparison._result import PredictionsCompared

__all__ = ["PredictionsCompared", "compare_predictions"]
