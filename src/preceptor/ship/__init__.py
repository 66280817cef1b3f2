"""Deployment: export and serving of an arm's model, and the parity check against the study's answers."""

from preceptor.ship._cause import Cause
from preceptor.ship._export import export
from preceptor.ship._export_metadata import MAY_REPEAT
from preceptor.ship._in_process import answers_of
from preceptor.ship._parity import Difference, Parity, compare, short_check
from preceptor.ship._verify import find_endpoint, verify

__all__ = [
    "MAY_REPEAT",
    "Cause",
    "Difference",
    "Parity",
    "answers_of",
    "compare",
    "export",
    "find_endpoint",
    "short_check",
    "verify",
]
