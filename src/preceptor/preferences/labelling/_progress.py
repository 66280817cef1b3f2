"""How far a round is: votes given and missing, each rater's share, and the time it took and still takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from preceptor.preferences.labelling._consensus import Settled, first_votes, settle
from preceptor.preferences.labelling._store import Store
from preceptor.preferences.labelling._votes import Vote

LONGEST_COUNTED = 15 * 60
"""Seconds of one vote that count as work, for a page may stay open over lunch."""


@dataclass(frozen=True, slots=True)
class RaterProgress:
    """One rater's work: votes, repeats too; skips; seconds, in all and of a typical vote; time of the last, if any."""

    name: str
    votes: int
    skipped: int
    seconds: float
    typical: float
    last: str


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """A round's work: `given` and `missing` first votes, and what raters disagree about with no lead to settle it.

    `seconds_needed` is all raters' together; None before the first vote.
    """

    items: int
    given: int
    missing: int
    settled: int
    seconds_spent: float
    seconds_needed: float | None
    raters: tuple[RaterProgress, ...]
    disputes: tuple[Settled, ...]


def look_at_progress(store: Store) -> RoundProgress:
    """Count what the store holds."""
    items, votes = store.items(), store.votes()
    per_item, given = int(store.about["votes_per_item"]), dict.fromkeys((item.id for item in items), 0)
    for vote in first_votes(votes):
        given[vote.item] += 1
    missing = sum(max(per_item - count, 0) for count in given.values())
    worked = [_worked(vote) for vote in votes if vote.role == "rater"]
    settled = settle(items, votes)
    return RoundProgress(
        items=len(items),
        given=sum(given.values()),
        missing=missing,
        settled=sum(one.by_lead for one in settled),
        seconds_spent=sum(worked),
        seconds_needed=missing * (1 + store.about["repeat_share"]) * median(worked) if worked else None,
        raters=tuple(_rater(store, rater.name) for rater in store.raters() if rater.role == "rater"),
        disputes=tuple(one for one in settled if one.choice is None),
    )


def working_seconds(votes: Iterable[Vote]) -> float:
    """The time that raters and lead spent on these votes."""
    return sum(map(_worked, votes))


def _worked(vote: Vote) -> float:
    return min(vote.seconds, LONGEST_COUNTED)


def _rater(store: Store, name: str) -> RaterProgress:
    given = store.votes_of(name)
    seconds = [_worked(vote) for vote in given if vote.choice is not None]
    return RaterProgress(
        name,
        votes=len(seconds),
        skipped=len(given) - len(seconds),
        seconds=sum(seconds),
        typical=median(seconds) if seconds else 0.0,
        last=given[-1].time if given else "",
    )
