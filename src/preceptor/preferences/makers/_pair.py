"""A pair: two answers to one case, and where the rejected one came from."""

from dataclasses import dataclass, field
from typing import Literal

from preceptor.engine import Cost

Maker = Literal["published", "hardest_label", "on_policy", "near_miss", "judge", "votes"]
"""Where rejected answers come from; one file each."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Answers to the case `example_id`; `origin` names the maker of the rejected one. Its `repr` shows no text."""

    example_id: str
    chosen: str = field(repr=False)
    rejected: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class Made:
    """What a maker made, and what it cost. `notes` counts what gave no pair, in a word or two each: `ties`.

    label_ties: pairs whose rejected label was as likely as another wrong one, so that chance decided.
    """

    pairs: list[Pair]
    cost: Cost = field(default_factory=Cost)
    notes: dict[str, int] = field(default_factory=dict)
    label_ties: int = 0
