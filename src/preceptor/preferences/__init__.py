"""Where pairs come from: two answers to a case, and which maker of rejected ones each pair comes from."""

from preceptor.preferences._makers import cannot_make, make_pairs
from preceptor.preferences._one_fact import NearMiss, change_one_fact
from preceptor.preferences._pair import Made, Maker, Pair
from preceptor.preferences._preflight import PairFindings, look_at
from preceptor.preferences._request import Request, Score
from preceptor.preferences._votes import votes

__all__ = [
    "Made",
    "Maker",
    "NearMiss",
    "Pair",
    "PairFindings",
    "Request",
    "Score",
    "cannot_make",
    "change_one_fact",
    "look_at",
    "make_pairs",
    "votes",
]
