"""Starting or resuming a round: its store and its raters' links."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._store import Store
from preceptor.preferences.labelling._vote import Role

LEAD = "lead"


@dataclass(frozen=True, slots=True)
class Link:
    """A rater's credentials; the token is shown once and hidden in `repr`."""

    name: str
    role: Role
    token: str = field(repr=False)


def open_round(path: Path, make_items: Callable[[], Sequence[Item]], *, title: str, votes_per_item: int) -> Store:
    """Open the store at `path`, or create it from `make_items()`."""
    if not path.exists():
        return Store.create(path, make_items(), title=title, votes_per_item=votes_per_item)
    return Store.open(path)


def make_links(store: Store, names: Sequence[str]) -> list[Link]:
    """A new link for each of `names`, and in a new round for a lead and `votes_per_item` raters.

    Existing raters keep role and votes; their old links are revoked. InputError for an invalid name.
    """
    existing = {rater.name: rater.role for rater in store.raters()}
    roles: dict[str, Role] = {name: existing.get(name, "rater") for name in names}
    if "rater" not in [*existing.values(), *roles.values()]:
        roles |= {f"rater-{number}": "rater" for number in range(1, store.metadata["votes_per_item"] + 1)}
    if "lead" not in existing.values():
        roles[LEAD] = "lead"
    return [Link(name, role, store.add_rater(name, role)) for name, role in roles.items()]
