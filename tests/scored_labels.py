"""Label scores with ties, and patients resampled as the product resamples them."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from preceptor.evidence import Sample
from preceptor.evidence._resampling import case_weights, resampled_weights


@st.composite
def scored_samples(draw: st.DrawFn, labels: int | None = None, invalid: bool = False) -> Sample:
    """Up to 40 cases of up to 40 patients; scores in tenths tie often."""
    count, cases = labels or draw(st.integers(2, 4)), draw(st.integers(2, 40))
    numbers = st.integers(0, count - 1)
    return Sample(
        draw(arrays(int, cases, elements=st.integers(0, 39))),
        draw(arrays(int, cases, elements=numbers)),
        draw(arrays(int, cases, elements=st.integers(-1 if invalid else 0, count - 1))),
        label_scores=draw(arrays(int, (cases, count), elements=st.integers(0, 10))) / 10,
    )


def rows_of(sample: Sample, seed: int) -> np.ndarray:
    """[rows, cases] weights of 20 resamples of patients."""
    blocks = resampled_weights(sample.patients, np.random.default_rng(seed), 20)
    patient = sample.patient_of_case()
    return np.concatenate([cases for block in blocks for cases in case_weights(block, patient)])
