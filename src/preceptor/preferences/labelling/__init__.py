"""Annotation by clinicians: the labelling page and the store of their votes."""

from preceptor.preferences.labelling._differences import differences
from preceptor.preferences.labelling._export_round import export
from preceptor.preferences.labelling._file import NotSavedError
from preceptor.preferences.labelling._items import COUNTS, Answer, Item
from preceptor.preferences.labelling._progress import working_seconds
from preceptor.preferences.labelling._round import make_links, open_round
from preceptor.preferences.labelling._serve import serve
from preceptor.preferences.labelling._store import AlreadyJudgedError, Store, read_round
from preceptor.preferences.labelling._vote import PREFERENCES, Vote, majority

__all__ = [
    "COUNTS",
    "PREFERENCES",
    "AlreadyJudgedError",
    "Answer",
    "Item",
    "NotSavedError",
    "Store",
    "Vote",
    "differences",
    "export",
    "majority",
    "make_links",
    "open_round",
    "read_round",
    "serve",
    "working_seconds",
]
