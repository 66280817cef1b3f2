"""How it leaves: the winner exported, served, and checked against what was measured."""

from preceptor.ship._cause import Cause
from preceptor.ship._export import Exported, export
from preceptor.ship._export_metadata import MAY_REPEAT
from preceptor.ship._in_process import answers_of
from preceptor.ship._parity import Difference, Parity, compare, short_check
from preceptor.ship._verify import find_endpoint, verify

__all__ = [
    "MAY_REPEAT",
    "Cause",
    "Difference",
    "Exported",
    "Parity",
    "answers_of",
    "compare",
    "export",
    "find_endpoint",
    "short_check",
    "verify",
]
