"""The progress of a round: votes given and missing, per rater, time spent and estimated time remaining."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from preceptor.preferences.labelling._consensus import Settled, first_votes, settle
from preceptor.preferences.labelling._store import Store
from preceptor.preferences.labelling._vote import Vote

MAX_SECONDS_PER_VOTE = 15 * 60
"""Seconds counted per vote at most: a page may stay open while the rater is away."""


@dataclass(frozen=True, slots=True)
class RaterProgress:
    """One rater: votes (with repeats), skips, seconds in total and per vote (median), time of the last vote."""

    name: str
    votes: int
    skipped: int
    seconds: float
    typical: float
    last: str


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """A round: first votes `given` and `missing`, items `settled` by the lead, and unadjudicated `disputes`.

    seconds_needed: estimate for all raters together; None before the first vote.
    """

    items: int
    given: int
    missing: int
    settled: int
    seconds_spent: float
    seconds_needed: float | None
    raters: tuple[RaterProgress, ...]
    disputes: tuple[Settled, ...]


def round_progress(store: Store) -> RoundProgress:
    """Compute the progress from the store."""
    items, votes = store.items(), store.votes()
    per_item, given = int(store.metadata["votes_per_item"]), dict.fromkeys((item.id for item in items), 0)
    for vote in first_votes(votes):
        given[vote.item] += 1
    missing = sum(max(per_item - count, 0) for count in given.values())
    durations = [_duration(vote) for vote in votes if vote.role == "rater"]
    settled = settle(items, votes)
    return RoundProgress(
        items=len(items),
        given=sum(given.values()),
        missing=missing,
        settled=sum(one.by_lead for one in settled),
        seconds_spent=sum(durations),
        seconds_needed=missing * (1 + store.metadata["repeat_share"]) * median(durations) if durations else None,
        raters=tuple(_rater(store, rater.name) for rater in store.raters() if rater.role == "rater"),
        disputes=tuple(one for one in settled if one.choice is None),
    )


def working_seconds(votes: Iterable[Vote]) -> float:
    """The time spent on these votes, in seconds."""
    return sum(map(_duration, votes))


def _duration(vote: Vote) -> float:
    return min(vote.seconds, MAX_SECONDS_PER_VOTE)


def _rater(store: Store, name: str) -> RaterProgress:
    given = store.votes_of(name)
    seconds = [_duration(vote) for vote in given if vote.choice is not None]
    return RaterProgress(
        name,
        votes=len(seconds),
        skipped=len(given) - len(seconds),
        seconds=sum(seconds),
        typical=median(seconds) if seconds else 0.0,
        last=given[-1].time if given else "",
    )
