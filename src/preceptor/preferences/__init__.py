"""Where pairs come from: chosen is the gold answer, rejected comes from a maker that each pair names."""

from preceptor.preferences._makers import MAKERS, make_pairs
from preceptor.preferences._near_miss import NearMiss, change_one_fact, near_miss
from preceptor.preferences._pair import Pair

__all__ = ["MAKERS", "NearMiss", "Pair", "change_one_fact", "make_pairs", "near_miss"]
