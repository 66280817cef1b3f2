"""Nearly the same text in two sets of cases: what a model has seen in training must not come back in the test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import HashingVectorizer

SHINGLE_WORDS = 3
ALIKE = 0.9  # cosine of the sets of shingles; one word changed in a text of 100 words leaves about 0.97
_ROWS_AT_ONCE = 512  # bounds the memory of the product, whatever the number of cases


@dataclass(frozen=True, slots=True)
class Twin:
    """Held-out text number `held_out` is nearly the seen text number `seen`; `cosine` is 1 for the same words."""

    held_out: int
    seen: int
    cosine: float


def near_duplicates(held_out: Sequence[str], seen: Sequence[str], alike: float = ALIKE) -> list[Twin]:
    """For each held-out text that has one, its closest text in `seen` with a cosine of at least `alike`.

    Texts are compared as sets of three-word shingles (Broder 1997), hashed, by cosine.
    """
    if not held_out or not seen:
        return []
    columns = _shingle_matrix(seen).T.tocsc()
    rows = _shingle_matrix(held_out)
    twins = []
    for start in range(0, len(held_out), _ROWS_AT_ONCE):
        cosines = (rows[start : start + _ROWS_AT_ONCE] @ columns).tocsr()
        for offset in range(cosines.shape[0]):
            line = cosines.getrow(offset)
            if line.nnz and line.data.max() >= alike - 1e-6:
                best = int(np.argmax(line.data))
                twins.append(Twin(start + offset, int(line.indices[best]), min(1.0, float(line.data[best]))))
    return twins


def _shingle_matrix(texts: Sequence[str]) -> csr_matrix:
    """Rows of unit length, one a text: [texts, 2**20], a column a hashed shingle."""
    hashing = HashingVectorizer(analyzer=_shingles, binary=True, norm="l2", alternate_sign=False, dtype=np.float32)
    return csr_matrix(hashing.transform(texts))


def _shingles(text: str) -> Iterator[str]:
    words = text.casefold().split()
    if len(words) < SHINGLE_WORDS:
        yield " ".join(words)
    for i in range(len(words) - SHINGLE_WORDS + 1):
        yield " ".join(words[i : i + SHINGLE_WORDS])
