"""Which hidden states a head reads where the study does not say: what the model's folder says, else its family's."""

from collections.abc import Mapping

from preceptor.models._json import read_json
from preceptor.models._slots import HEAD, Slot, SlotSettings
from preceptor.models._source import ModelSource
from preceptor.models.families import find_family

_MODES = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first", "pooling_mode_lasttoken": "last"}
"""How a folder of sentence-transformers names what its model was trained with."""


def pool_of(head: Slot, source: ModelSource) -> str:
    """The pool of a head; of one that names none, as those that were saved before there was a choice, its family's."""
    settings = head.settings if isinstance(head, SlotSettings) else {}
    return str(settings.get("pool") or _family_pool(source))


def _family_pool(source: ModelSource) -> str:
    """The pool of a head of which nothing more is known: the token that has seen all others."""
    return str(find_family(source.location).POOL)


def with_pools(slots: Mapping[str, Slot], source: ModelSource) -> dict[str, Slot]:
    """The slots, each head with the pool that the model was trained with where its folder has another than the
    family's and the head names none.
    """
    folder = _folder_pool(source)
    if folder in (None, _family_pool(source)):
        return dict(slots)
    return {name: _pooled(slot, str(folder)) for name, slot in slots.items()}


def _pooled(slot: Slot, pool: str) -> Slot:
    if slot.type != HEAD or not isinstance(slot, SlotSettings):
        return slot
    return SlotSettings(type=HEAD, **({"pool": pool} | slot.settings))


def _folder_pool(source: ModelSource) -> str | None:
    """What `1_Pooling/config.json` says, if it is one of the ways that a head has."""
    file = source.location / "1_Pooling" / "config.json"
    said = read_json(file) if file.is_file() else {}
    named = [pool for mode, pool in _MODES.items() if said.get(mode) is True]
    return named[0] if len(named) == 1 else None
