"""What `results.json` says of snippets that a head weighed: whether the weights point at what decided."""

from pydantic import BaseModel

from preceptor.study.results.schema_values import STRICT, Count, Interval, Share


class _Part(BaseModel):
    model_config = STRICT


class Figure(_Part):
    """A mean over held-out cases with its 95% interval, patients resampled."""

    value: float
    ci: Interval
    cases: Count
    """Those of which it is the mean."""


class Hits(_Part):
    """How often the snippet with the largest weight holds the gold evidence as a whole."""

    share: Figure
    by_chance: Share
    """What a snippet drawn by lot would do."""
    held: Share
    """Of the cases, those of which any snippet holds it: what no weights could exceed."""


class SnippetFigures(_Part):
    """Of the held-out cases with two snippets and more. Drops are falls of the log-probability of the arm's own answer
    when a snippet is left out, in nats.
    """

    cases: Count
    alone: Count
    """Cases of one snippet, of which nothing is said."""
    drop: Figure
    """Of the snippet with the largest weight, beyond the mean drop of the case's snippets: of one left out by lot."""
    rank_correlation: Figure | None = None
    """Spearman's, of weights and drops within a case of three snippets and more; None without such cases."""
    hits: Hits | None = None
    """None where the task names no `evidence`."""
