"""The page on which clinicians say which answer is better, and the store that keeps what they said."""

from preceptor.preferences.labelling._export import export
from preceptor.preferences.labelling._file import NotSavedError
from preceptor.preferences.labelling._items import COUNTS, Answer, Item, Kind
from preceptor.preferences.labelling._progress import working_seconds
from preceptor.preferences.labelling._round import Link, make_links, open_round
from preceptor.preferences.labelling._serve import serve
from preceptor.preferences.labelling._store import AlreadyJudgedError, Store
from preceptor.preferences.labelling._turns import Turn
from preceptor.preferences.labelling._votes import PREFERENCES, Order, Rater, Role, Vote, majority

__all__ = [
    "COUNTS",
    "PREFERENCES",
    "AlreadyJudgedError",
    "Answer",
    "Item",
    "Kind",
    "Link",
    "NotSavedError",
    "Order",
    "Rater",
    "Role",
    "Store",
    "Turn",
    "Vote",
    "export",
    "majority",
    "make_links",
    "open_round",
    "serve",
    "working_seconds",
]
