"""Starting a round, or going on with one: its store, and a link for everyone who takes part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._store import Store
from preceptor.preferences.labelling._votes import Role

LEAD = "lead"


@dataclass(frozen=True, slots=True)
class Link:
    """Who may come in with `token`, which is shown once and stands in no `repr`."""

    name: str
    role: Role
    token: str = field(repr=False)


def open_round(path: Path, make_items: Callable[[], Sequence[Item]], *, title: str, votes_per_item: int) -> Store:
    """The store at `path`; a new one of `make_items()` where there is none."""
    if not path.exists():
        return Store.create(path, make_items(), title=title, votes_per_item=votes_per_item)
    return Store.open(path)


def make_links(store: Store, names: Sequence[str]) -> list[Link]:
    """A new link for each of `names`, and what a round needs where nobody has one: a lead, and as many raters as votes.

    Someone who is there already keeps their role and votes, and their old link ends. InputError when a name is none.
    """
    there = {rater.name: rater.role for rater in store.raters()}
    wanted: dict[str, Role] = {name: there.get(name, "rater") for name in names}
    if "rater" not in [*there.values(), *wanted.values()]:
        wanted |= {f"rater-{number}": "rater" for number in range(1, store.about["votes_per_item"] + 1)}
    if "lead" not in there.values():
        wanted[LEAD] = "lead"
    return [Link(name, role, store.add_rater(name, role)) for name, role in wanted.items()]
