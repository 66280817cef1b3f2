"""Where pairs come from: two answers to a case, and which maker of rejected ones each pair comes from."""

from preceptor.preferences._filter import PairReport, filter_pairs
from preceptor.preferences._votes_table import write_votes
from preceptor.preferences.labelling._case import is_of, item_id, make_item, told_case
from preceptor.preferences.labelling._consensus import Settled, first_votes, settle
from preceptor.preferences.labelling._gold import Gold, GoldRow, gold, write_gold
from preceptor.preferences.labelling._rater_agreement import Agreed, Consistency, consistency, rater_agreement
from preceptor.preferences.makers import explanations, find_maker, maker_names
from preceptor.preferences.makers._maker import MadePairs, Maker, Pair, PairWork, Request, Score
from preceptor.preferences.makers._one_fact import NearMiss, change_one_fact
from preceptor.preferences.makers._two_answers import two_answers
from preceptor.preferences.makers.votes import voted_pairs

__all__ = [
    "Agreed",
    "Consistency",
    "Gold",
    "GoldRow",
    "MadePairs",
    "Maker",
    "NearMiss",
    "Pair",
    "PairReport",
    "PairWork",
    "Request",
    "Score",
    "Settled",
    "change_one_fact",
    "consistency",
    "explanations",
    "filter_pairs",
    "find_maker",
    "first_votes",
    "gold",
    "is_of",
    "item_id",
    "make_item",
    "maker_names",
    "rater_agreement",
    "settle",
    "told_case",
    "two_answers",
    "voted_pairs",
    "write_gold",
    "write_votes",
]
