"""The mean of scores that are given, such as raters'."""

from preceptor.evidence.metrics._ratio import mean_of_scores

title = "mean score"
explanation = "The mean of the cases' scores."
fits = "scores"
better = "higher"
value = mean_of_scores
