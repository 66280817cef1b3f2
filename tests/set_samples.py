"""Sets of labels with scores that tie, and patients resampled as the product resamples them."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from preceptor.evidence import Sample


@st.composite
def set_samples(draw: st.DrawFn, *, foreign: bool = False) -> Sample:
    """Up to 30 cases of up to 30 patients, 2 to 5 labels; `foreign` with unknown labels and answers that are INVALID.

    Sets are often empty; scores in tenths tie often.
    """
    cases, labels = draw(st.integers(2, 30)), draw(st.integers(2, 5))
    shape, number = (cases, labels), st.integers(0, 2)
    unknown = draw(arrays(int, cases, elements=number)) if foreign else np.zeros(cases, int)
    predicted = draw(arrays(int, cases, elements=st.integers(-1, 0))) if foreign else np.zeros(cases, int)
    given = draw(arrays(bool, shape)) & (predicted == 0)[:, None]
    return Sample(
        draw(arrays(int, cases, elements=st.integers(0, 29))),
        predicted=predicted,
        label_scores=draw(arrays(int, shape, elements=st.integers(0, 10))) / 10,
        gold_sets=draw(arrays(bool, shape)),
        predicted_sets=given,
        unknown=np.where(predicted < 0, 0, unknown),
    )
