import pytest

from preceptor.evidence import benjamini_hochberg, holm


def test_holm_by_hand() -> None:
    # Sorted .01, .02, .03, times 3, 2, 1, and never below the one before; in the order given.
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([]) == []


def test_benjamini_hochberg_as_they_published_it() -> None:
    """Benjamini and Hochberg 1995, section 3.2: of these fifteen p-values, at 5%, the four smallest are rejected."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p += [0.7590, 1.0000]
    assert [value < 0.05 for value in benjamini_hochberg(p)] == [True] * 4 + [False] * 11
    assert [value < 0.05 for value in holm(p)] == [True] * 3 + [False] * 12  # Holm rejects one fewer
    assert benjamini_hochberg([]) == []
