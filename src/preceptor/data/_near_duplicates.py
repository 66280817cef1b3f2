"""Near-duplicate detection between splits: leakage of training text into held-out cases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

SHINGLE_WORDS = 3
MIN_COSINE = 0.9  # cosine of the sets of shingles; one word changed in a text of 100 words leaves about 0.97
_BATCH_ROWS = 512  # bounds the memory of the product


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Held-out text `held_out` and its closest seen text `seen`, by index, with their cosine similarity."""

    held_out: int
    seen: int
    cosine: float


def near_duplicates(held_out: Sequence[str], seen: Sequence[str], min_cosine: float = MIN_COSINE) -> list[Duplicate]:
    """For each held-out text that has one, its closest text in `seen` with a cosine of at least `min_cosine`.

    Texts are compared as sets of three-word shingles (Broder 1997), hashed, by cosine.
    """
    if not held_out or not seen:
        return []
    columns = _shingle_matrix(seen).T.tocsc()
    rows = _shingle_matrix(held_out)
    duplicates = []
    for start in range(0, len(held_out), _BATCH_ROWS):
        cosines = (rows[start : start + _BATCH_ROWS] @ columns).tocsr()
        for offset in range(cosines.shape[0]):
            row = cosines.getrow(offset)
            if row.nnz and row.data.max() >= min_cosine - 1e-6:
                best = int(np.argmax(row.data))
                duplicates.append(Duplicate(start + offset, int(row.indices[best]), min(1.0, float(row.data[best]))))
    return duplicates


def _shingle_matrix(texts: Sequence[str]) -> csr_matrix:
    """L2-normalised rows of hashed shingles: [texts, 2**20]."""
    from sklearn.feature_extraction.text import HashingVectorizer  # which reading a table does not need

    hashing = HashingVectorizer(analyzer=_shingles, binary=True, norm="l2", alternate_sign=False, dtype=np.float32)
    return csr_matrix(hashing.transform(texts))


def _shingles(text: str) -> Iterator[str]:
    words = text.casefold().split()
    if len(words) < SHINGLE_WORDS:
        yield " ".join(words)
    for i in range(len(words) - SHINGLE_WORDS + 1):
        yield " ".join(words[i : i + SHINGLE_WORDS])
