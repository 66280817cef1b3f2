"""Where pairs come from: two answers to a case, and which maker of rejected ones each pair comes from."""

from preceptor.preferences._request import Request, Score
from preceptor.preferences._votes_table import write_votes
from preceptor.preferences.labelling._consensus import Settled, first_votes, settle
from preceptor.preferences.labelling._gold import Gold, GoldRow, gold, write_gold
from preceptor.preferences.labelling._make_item import case_fields, is_of, item_id, make_item
from preceptor.preferences.labelling._rater_agreement import Agreed, Consistency, consistency, rater_agreement
from preceptor.preferences.makers._checks import PairFindings, look_at
from preceptor.preferences.makers._one_fact import NearMiss, change_one_fact
from preceptor.preferences.makers._pair import Made, Maker, Pair
from preceptor.preferences.makers._registry import cannot_make, make_pairs
from preceptor.preferences.makers._two_answers import two_answers
from preceptor.preferences.makers.votes import votes

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
    "case_fields",
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
    "two_answers",
    "votes",
    "write_gold",
    "write_votes",
]
