"""Where pairs come from: chosen is the gold answer, rejected comes from a maker that each pair names."""

from preceptor.preferences._makers import make_pairs
from preceptor.preferences._near_miss import NearMiss, change_one_fact
from preceptor.preferences._pair import Pair

__all__ = ["NearMiss", "Pair", "change_one_fact", "make_pairs"]
