"""Where pairs come from: two answers to a case, and which maker of rejected ones each pair comes from."""

from preceptor.preferences._case import is_of, item_id, make_item, told_case
from preceptor.preferences._gold import Gold, GoldRow, gold, write_gold
from preceptor.preferences._makers import cannot_make, make_pairs
from preceptor.preferences._one_fact import NearMiss, change_one_fact
from preceptor.preferences._pair import Made, Maker, Pair
from preceptor.preferences._preflight import PairFindings, look_at
from preceptor.preferences._rater_agreement import Agreed, Consistency, consistency, rater_agreement
from preceptor.preferences._request import Request, Score
from preceptor.preferences._settled import Settled, first_votes, settle
from preceptor.preferences._two_answers import two_answers
from preceptor.preferences._votes import votes
from preceptor.preferences._votes_table import write_votes

__all__ = [
    "Agreed",
    "Consistency",
    "Gold",
    "GoldRow",
    "Made",
    "Maker",
    "NearMiss",
    "Pair",
    "PairFindings",
    "Request",
    "Score",
    "Settled",
    "cannot_make",
    "change_one_fact",
    "consistency",
    "first_votes",
    "gold",
    "is_of",
    "item_id",
    "look_at",
    "make_item",
    "make_pairs",
    "rater_agreement",
    "settle",
    "told_case",
    "two_answers",
    "votes",
    "write_gold",
    "write_votes",
]
