import numpy as np
import pytest

from preceptor.evidence import Sample


def test_cases_of_one_patient_have_one_number() -> None:
    sample = Sample(np.array(["b", "a", "b"]), scores=np.array([1.0, 2.0, 3.0]))
    assert sample.patient_of_case().tolist() == [1, 0, 1]
    assert (len(sample), sample.patients) == (3, 2)


def test_invalid_rate_of_label_and_scored_outputs() -> None:
    assert Sample(np.arange(4), np.zeros(4, int), np.array([0, -1, 1, -1])).invalid_rate == 0.5
    assert Sample(np.arange(2), scores=np.zeros(2), predicted=np.array([-1, 0])).invalid_rate == 0.5
    assert Sample(np.arange(2), scores=np.zeros(2)).invalid_rate == 0.0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"groups": np.array([]), "scores": np.array([])}, "at least one case"),
        ({"groups": np.arange(2), "scores": np.ones(3)}, "other lengths"),
        ({"groups": np.arange(2), "gold": np.zeros(2, int)}, "predicted labels"),
        ({"groups": np.arange(2)}, "or scores"),
        ({"groups": np.arange(1), "gold": np.array([-1]), "predicted": np.array([0])}, "numbered from 0"),
    ],
)
def test_a_sample_that_does_not_fit_together_is_refused(columns: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sample(**columns)


def test_samples_are_parted_and_stacked_column_by_column() -> None:
    sample = Sample(np.arange(3), np.array([0, 1, 2]), np.array([0, -1, 1]), positives=(2,))
    some = sample.take(np.array([True, False, True]))
    assert (some.groups.tolist(), *(column.tolist() for column in some.labels())) == ([0, 2], [0, 2], [0, 1])
    both = Sample.stack([some, sample])
    assert (len(both), both.groups.tolist(), both.positives) == (5, [0, 2, 0, 1, 2], (2,))
    distinct, number = both.distinct()
    assert len(distinct) == 3
    assert distinct.take(number).labels()[1].tolist() == both.labels()[1].tolist()


def test_cases_differ_by_their_answers() -> None:
    one, other = (Sample(np.arange(3), np.zeros(3, int), np.array(given)) for given in ([0, 1, -1], [0, 2, 1]))
    assert one.differs(other).tolist() == [False, True, True]


def test_without_label_scores_the_decision_is_the_score() -> None:
    gold, predicted = np.array([0, 1, 2]), np.array([0, -1, 1])
    decided = Sample(np.arange(3), gold, predicted)
    assert decided.scored_labels()[1].tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    scores = np.array([[1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
    graded = Sample(np.arange(3), gold, predicted, label_scores=scores)
    assert graded.scored_labels()[1] is scores
    assert decided.differs(graded).tolist() == graded.differs(decided).tolist() == [False, True, False]
    for pair in ([decided, graded], [graded, decided]):
        both = Sample.stack(pair)
        assert both.scored_labels()[1].tolist() == [row for one in pair for row in one.scored_labels()[1].tolist()]
        distinct, number = both.distinct()
        assert len(distinct) == 4
        assert distinct.take(number).scored_labels()[1].tolist() == both.scored_labels()[1].tolist()
    assert graded.take(np.array([1])).scored_labels()[1].tolist() == [[0.2, 0.5, 0.3]]


def test_label_scores_need_gold_and_a_column_for_each_label() -> None:
    for columns in ({"scores": np.ones(1)}, {"gold": np.array([2]), "predicted": np.array([0])}):
        with pytest.raises(ValueError, match="a column for each"):
            Sample(np.arange(1), **columns, label_scores=np.ones((1, 2)))


def test_sets_need_all_their_columns_in_one_shape() -> None:
    sets, none = np.zeros((2, 3), bool), np.zeros(2, int)
    with pytest.raises(ValueError, match="predicted sets"):
        Sample(np.arange(2), gold_sets=sets)
    with pytest.raises(ValueError, match="other shapes"):
        Sample(np.arange(2), gold_sets=sets, predicted_sets=np.zeros((2, 2), bool), unknown=none)
    with pytest.raises(ValueError, match="sets of labels"):
        Sample(np.arange(2), scores=np.zeros(2)).sets()


def test_sets_are_stacked_and_told_apart_and_are_scores_where_there_are_none() -> None:
    gold, given, none = np.eye(2, dtype=bool), np.ones((2, 2), bool), np.zeros(2, int)
    decided = Sample(np.arange(2), gold_sets=gold, predicted_sets=given, unknown=none)
    graded = Sample(np.arange(2), gold_sets=gold, predicted_sets=given, unknown=none, label_scores=np.eye(2))
    assert decided.scored_sets()[1].tolist() == [[1, 1], [1, 1]]
    both = Sample.stack([graded, decided])
    assert both.scored_sets()[1].tolist() == [[1, 0], [0, 1], [1, 1], [1, 1]]
    assert len(both.distinct()[0]) == 4
    other = Sample(np.arange(2), gold_sets=gold, predicted_sets=given, unknown=np.array([0, 1]))
    assert decided.differs(other).tolist() == [False, True]
