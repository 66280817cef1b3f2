"""The page on which clinicians say which answer is better, and the store that keeps what they said."""

from preceptor.preferences.labelling._export import export
from preceptor.preferences.labelling._file import NotSavedError
from preceptor.preferences.labelling._http_server import Limits, http_server
from preceptor.preferences.labelling._items import COUNTS, Answer, Item, Kind
from preceptor.preferences.labelling._progress import working_seconds
from preceptor.preferences.labelling._round import Link, make_links, open_round
from preceptor.preferences.labelling._serve import Door, open_door, serve
from preceptor.preferences.labelling._store import AlreadyJudgedError, Store
from preceptor.preferences.labelling._turns import Turn
from preceptor.preferences.labelling._votes import PREFERENCES, Order, Rater, Role, Vote, majority
from preceptor.web.tls import Tls, self_signed

__all__ = [
    "COUNTS",
    "PREFERENCES",
    "AlreadyJudgedError",
    "Answer",
    "Door",
    "Item",
    "Kind",
    "Limits",
    "Link",
    "NotSavedError",
    "Order",
    "Rater",
    "Role",
    "Store",
    "Tls",
    "Turn",
    "Vote",
    "export",
    "http_server",
    "majority",
    "make_links",
    "open_door",
    "open_round",
    "self_signed",
    "serve",
    "working_seconds",
]
