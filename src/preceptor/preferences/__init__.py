"""Where pairs come from: two answers to a case, and which maker of rejected ones each pair comes from."""

from preceptor.preferences._filter import PairReport, filter_pairs
from preceptor.preferences._votes_table import write_votes
from preceptor.preferences.labelling._consensus import first_votes
from preceptor.preferences.labelling._gold import gold, write_gold
from preceptor.preferences.labelling._items import case_fields, is_of, item_id, make_item
from preceptor.preferences.labelling._rater_agreement import consistency, rater_agreement
from preceptor.preferences.makers import explanations, find_maker, maker_names
from preceptor.preferences.makers._maker import ChosenFrom, MadePairs, Maker, Pair, PairWork, Request, Score
from preceptor.preferences.makers._two_answers import two_answers
from preceptor.preferences.makers.votes import voted_pairs

__all__ = [
    "ChosenFrom",
    "MadePairs",
    "Maker",
    "Pair",
    "PairReport",
    "PairWork",
    "Request",
    "Score",
    "case_fields",
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
    "two_answers",
    "voted_pairs",
    "write_gold",
    "write_votes",
]
