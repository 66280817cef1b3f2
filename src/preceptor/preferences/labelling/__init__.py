"""The page on which clinicians say which answer is better, and the store that keeps what they said."""

from preceptor.preferences.labelling._items import COUNTS, Answer, Item, Kind
from preceptor.preferences.labelling._store import AlreadyJudgedError, Rater, Store
from preceptor.preferences.labelling._turns import Turn
from preceptor.preferences.labelling._votes import PREFERENCES, Order, Role, Vote, majority

__all__ = [
    "COUNTS",
    "PREFERENCES",
    "AlreadyJudgedError",
    "Answer",
    "Item",
    "Kind",
    "Order",
    "Rater",
    "Role",
    "Store",
    "Turn",
    "Vote",
    "majority",
]
