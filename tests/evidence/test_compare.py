import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from preceptor.evidence import COMPARING, ESTIMATING, Metric, Sample, compare, estimate, find_metric
from preceptor.evidence._paired import _by_case, count_differing, paired

N = 24


def answers() -> st.SearchStrategy[np.ndarray]:
    return arrays(int, N, elements=st.integers(-1, 2))


def labels() -> st.SearchStrategy[np.ndarray]:
    return arrays(int, N, elements=st.integers(0, 2))


def groups() -> st.SearchStrategy[np.ndarray]:
    return st.one_of(st.just(np.arange(N)), arrays(int, N, elements=st.integers(0, 9)))


metrics = st.sampled_from([find_metric("accuracy"), find_metric("macro_f1")])
few = settings(max_examples=15, deadline=None)


def test_exact_mcnemar_by_hand() -> None:
    """Discordant pairs 9 and 2: p is twice the binomial tail P(X <= 2), X ~ B(11, 1/2), that is 134 / 2048."""
    gold = np.ones(30, int)
    a, b = np.ones(30, int), np.ones(30, int)
    a[:2], b[2:11] = 0, 0
    found = compare(find_metric("accuracy"), [Sample(np.arange(30), gold, a)], [Sample(np.arange(30), gold, b)], seed=0)
    assert found.test == "exact McNemar"
    assert found.p == pytest.approx(134 / 2048)
    assert found.delta == pytest.approx(7 / 30)


def test_swap_test_agrees_with_the_exact_permutation_of_ten_patients() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(10), rng.random(10)
    exact = stats.permutation_test((a, b), lambda x, y: x.mean() - y.mean(), permutation_type="samples").pvalue
    patients = np.arange(10)
    found = compare(find_metric("mean_score"), [Sample(patients, scores=a)], [Sample(patients, scores=b)], seed=0)
    assert found.test == "arms swapped within patients"
    assert found.p == pytest.approx(exact, abs=0.02)


def test_darwins_maize_as_fisher_worked_it_out() -> None:
    """Fisher 1935, The Design of Experiments, section 21: 1,726 of the 2^15 signs give a sum as large as 314."""
    inches = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]) / 8
    pots = np.arange(15)
    found = compare(
        find_metric("mean_score"),
        [Sample(pots, scores=inches)],
        [Sample(pots, scores=0 * inches)],
        seed=0,
        swapped=99_999,
    )
    assert found.p == pytest.approx(1726 / 2**15, abs=0.002)
    assert found.delta == pytest.approx(314 / 8 / 15)


def test_wilcoxons_own_example() -> None:
    """Wilcoxon 1945, table 2: signed ranks of eight differences, the negative ones sum to 3, so p = 10 / 256.

    The swap test of the signed ranks is the signed-rank test.
    """
    differences = np.array([209, 200, 177, 169, 159, 169, 187, 198]) - [151, 168, 147, 164, 166, 163, 176, 188]
    ranks = np.sign(differences) * stats.rankdata(np.abs(differences))
    assert ranks[ranks < 0].sum() == -3
    plots = np.arange(8)
    found = compare(
        find_metric("mean_score"),
        [Sample(plots, scores=ranks)],
        [Sample(plots, scores=0 * ranks)],
        seed=0,
        swapped=99_999,
    )
    assert found.p == pytest.approx(10 / 256, abs=0.002)
    assert found.p == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, abs=0.002)


def test_the_smallest_p_is_never_zero() -> None:
    patients, ones = np.arange(60), np.ones(60)
    found = compare(
        find_metric("mean_score"), [Sample(patients, scores=ones)], [Sample(patients, scores=0 * ones)], seed=0
    )
    assert found.p == 1 / 10_000


def test_interval_of_a_paired_mean_is_the_paired_t_interval() -> None:
    rng = np.random.default_rng(1)
    b = rng.normal(0.5, 0.2, 300)
    a = b + rng.normal(0.05, 0.05, 300)
    found = compare(
        find_metric("mean_score"), [Sample(np.arange(300), scores=a)], [Sample(np.arange(300), scores=b)], seed=0
    )
    for level, bounds in ((0.95, (found.low, found.high)), (0.90, (found.low_90, found.high_90))):
        expected = stats.t.interval(level, 299, (a - b).mean(), stats.sem(a - b))
        assert bounds == pytest.approx(expected, abs=0.001)


def test_arms_that_differ_on_few_patients_get_a_wider_interval_than_percentiles() -> None:
    """With 12 of 400 patients telling them apart, the interval is as wide as 12 patients allow, not as 400 do."""
    scores = np.zeros(400)
    scores[:12] = 1.0
    patients = np.arange(400)
    found = compare(
        find_metric("mean_score"), [Sample(patients, scores=scores)], [Sample(patients, scores=0 * scores)], seed=0
    )
    drawn = np.random.default_rng(1).binomial(400, 12 / 400, size=100_000) / 400
    tail = stats.norm.cdf(-np.sqrt(12 / 11) * stats.t.ppf(0.975, 11))
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [tail, 1 - tail]), abs=0.003)
    plain = np.quantile(drawn, [0.025, 0.975])
    assert found.low is not None
    assert found.high is not None
    assert found.low < plain[0] - 0.002
    assert found.high > plain[1] + 0.002


def test_several_cases_of_one_patient_move_together() -> None:
    """Five patients, 12 cases each, all for the better: 60 cases, but no more evidence than five patients hold."""
    patients = np.repeat(np.arange(5), 12)
    gold, right, wrong = np.ones(60, int), np.ones(60, int), np.zeros(60, int)
    found = compare(find_metric("accuracy"), [Sample(patients, gold, right)], [Sample(patients, gold, wrong)], seed=0)
    assert found.test == "arms swapped within patients"
    assert found.p == pytest.approx(2 / 2**5, abs=0.01)


def test_arms_that_do_not_pair_up_are_refused() -> None:
    gold = np.array([0, 1, 1])
    sample = Sample(np.arange(3), gold, gold)
    with pytest.raises(ValueError, match="same patients"):
        compare(find_metric("accuracy"), [sample], [Sample(np.array([0, 2, 1]), gold, gold)], seed=0)
    with pytest.raises(ValueError, match="same gold"):
        compare(find_metric("accuracy"), [sample], [Sample(np.arange(3), 1 - gold, gold)], seed=0)
    with pytest.raises(ValueError, match="each seed needs both"):
        compare(find_metric("accuracy"), [sample, sample], [sample], seed=0)
    with pytest.raises(ValueError, match="undefined"):
        compare(find_metric("sensitivity"), [sample], [sample], seed=0)


def test_one_patient_gives_a_difference_and_no_interval() -> None:
    one = np.zeros(2)
    found = compare(
        find_metric("mean_score"), [Sample(one, scores=np.ones(2))], [Sample(one, scores=np.zeros(2))], seed=0
    )
    assert (found.delta, found.low, found.high, found.p) == (1.0, None, None, 1.0)


def test_seeds_are_averaged_and_their_patients_move_together() -> None:
    """The same arms three times over are no more evidence than once."""
    rng = np.random.default_rng(3)
    patients = np.arange(80)
    a, b = rng.random(80) + 0.1, rng.random(80)
    once = compare(find_metric("mean_score"), [Sample(patients, scores=a)], [Sample(patients, scores=b)], seed=0)
    thrice = compare(
        find_metric("mean_score"), [Sample(patients, scores=a)] * 3, [Sample(patients, scores=b)] * 3, seed=0
    )
    assert (thrice.delta, thrice.low, thrice.high) == pytest.approx((once.delta, once.low, once.high))
    assert thrice.p == once.p
    assert thrice.variance == pytest.approx(np.var(a - b, ddof=1), rel=0.1)


def test_each_seed_is_paired_with_its_own_and_shown() -> None:
    patients, zero = np.arange(40), np.zeros(40)
    a = [Sample(patients, scores=zero + 0.5), Sample(patients, scores=zero + 0.1)]
    b = [Sample(patients, scores=zero + 0.2), Sample(patients, scores=zero + 0.3)]
    found = compare(find_metric("mean_score"), a, b, seed=0)
    assert found.seed_deltas == pytest.approx((0.3, -0.2))
    assert found.delta == pytest.approx(0.05)


def test_several_seeds_of_accuracy_are_resampled_and_swapped() -> None:
    patients, gold = np.arange(40), np.ones(40, int)
    arm = Sample(patients, gold, gold)
    found = compare(find_metric("accuracy"), [arm, arm], [arm, arm], seed=0)
    assert (found.test, found.interval) == (
        "arms swapped within patients",
        "expanded percentile, patients resampled",
    )


def test_a_patient_with_half_the_notes_weighs_as_one() -> None:
    """40 notes of one patient, one each of 40: by Kish, 80^2 / (40^2 + 40), about four patients."""
    groups = np.concatenate([np.zeros(40, int), np.arange(1, 41)])
    gold = np.tile([0, 1], 40)
    better = np.where(groups == 0, gold, 1 - gold)
    found = compare(find_metric("accuracy"), [Sample(groups, gold, better)], [Sample(groups, gold, 1 - gold)], seed=0)
    assert (found.patients, found.n, found.differing) == (41, 80, 1)
    assert found.effective_patients == pytest.approx(6400 / 1640)
    assert found.p == 1.0, "one patient is no evidence, whatever the number of notes"


def test_the_smallest_class_is_one_that_occurs() -> None:
    gold = np.array([0] * 20 + [2] * 7)
    arm = Sample(np.arange(27), gold, gold)
    assert compare(find_metric("macro_f1"), [arm], [arm], seed=0).smallest_class == 7
    scores = Sample(np.arange(27), scores=np.ones(27))
    assert compare(find_metric("mean_score"), [scores], [scores], seed=0).smallest_class is None


def test_ties_only_are_no_evidence() -> None:
    """Both arms right on the same half, wrong on the other: no discordant pair at all."""
    gold, answered = np.ones(60, int), np.tile([0, 1], 30)
    arm = Sample(np.arange(60), gold, answered)
    found = compare(find_metric("accuracy"), [arm], [arm], seed=0)
    assert (found.delta, found.p, found.variance) == (0.0, 1.0, 0.0)


def test_an_answer_that_cannot_be_read_is_a_miss_in_the_test_too() -> None:
    gold = np.ones(40, int)
    unread = np.where(np.arange(40) < 8, -1, 1)
    found = compare(
        find_metric("accuracy"), [Sample(np.arange(40), gold, gold)], [Sample(np.arange(40), gold, unread)], seed=0
    )
    assert found.delta == pytest.approx(8 / 40)
    assert found.p == pytest.approx(2 / 2**8)


@few
@given(metrics, groups(), labels(), answers())
def test_identical_arms_differ_by_nothing(metric, patients, gold, answered) -> None:
    arm = Sample(patients, gold, answered)
    found = compare(metric, [arm], [arm], seed=0)
    assert (found.delta, found.p, found.differing) == (0.0, 1.0, 0)
    if found.interval == "Tango's score interval":  # twice the same answers are no proof that there is no difference
        assert found.low is not None
        assert found.high is not None
        assert found.low < -0.1
        assert found.high > 0.1
    else:
        assert (found.low, found.high) in [(0.0, 0.0), (None, None)]


@few
@given(metrics, groups(), labels(), answers(), answers())
def test_exchanging_the_arms_negates(metric, patients, gold, first, second) -> None:
    a, b = Sample(patients, gold, first), Sample(patients, gold, second)
    there, back = compare(metric, [a], [b], seed=0), compare(metric, [b], [a], seed=0)
    assert back.delta == -there.delta
    assert back.p == there.p
    if there.low is not None and there.high is not None:
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)


@few
@given(metrics, groups(), labels(), answers(), answers(), st.permutations(range(N)))
def test_the_order_of_cases_changes_nothing(metric, patients, gold, first, second, order) -> None:
    found = compare(metric, [Sample(patients, gold, first)], [Sample(patients, gold, second)], seed=0)
    moved = compare(
        metric,
        [Sample(patients[order], gold[order], first[order])],
        [Sample(patients[order], gold[order], second[order])],
        seed=0,
    )
    assert moved == found


def test_the_smallest_class_counts_patients_and_not_their_notes() -> None:
    gold = np.concatenate([np.zeros(30, int), np.ones(30, int)])
    groups = np.concatenate([np.arange(30), np.repeat([100, 101, 102], 10)])
    arm = Sample(groups, gold, gold)
    assert compare(find_metric("macro_f1"), [arm], [arm], seed=0).smallest_class == 3


def differing_one_by_one(metric: Metric, one: Sample, other: Sample) -> int:
    """The definition: each patient's answers beside right ones of all, with one arm's and with the other's."""
    patient = one.patient_of_case()
    weight = np.random.default_rng(0).uniform(1, 2, patient.max() + 1)[patient]
    right = one if one.gold is None else replace(one, predicted=one.gold)
    there = [one, other] if metric.fits == "label_scores" else [right]
    found = 0
    for number in range(patient.max() + 1):
        weights = np.concatenate([*[weight] * len(there), (patient == number).astype(float)])[None]
        values = [metric.value(Sample.stack([*there, arm]), weights)[0] for arm in (one, other)]
        found += bool(abs(values[0] - values[1]) > 1e-12)
    return found


@few
@given(metric=st.sampled_from(["accuracy", "macro_f1", "auroc"]), gold=labels(), a=answers(), b=answers(), who=groups())
def test_patients_that_answered_alike_are_asked_once(
    metric: str, gold: np.ndarray, a: np.ndarray, b: np.ndarray, who: np.ndarray
) -> None:
    gold[:2] = 0, 1
    ours, theirs = Sample(who, gold, a), Sample(who, gold, b)
    found = count_differing(find_metric(metric), [ours], [theirs], ours.patient_of_case())
    assert found == differing_one_by_one(find_metric(metric), ours, theirs)


@few
@given(
    a=arrays(float, N, elements=st.floats(0, 1, width=16)), b=arrays(float, N, elements=st.floats(0, 1)), who=groups()
)
def test_so_are_those_of_a_mean_of_scores(a: np.ndarray, b: np.ndarray, who: np.ndarray) -> None:
    ours, theirs = Sample(who, scores=a), Sample(who, scores=b)
    found = count_differing(find_metric("mean_score"), [ours], [theirs], ours.patient_of_case())
    assert found == differing_one_by_one(find_metric("mean_score"), ours, theirs)


def test_what_is_done_counts_up_to_all_of_it() -> None:
    rng, done = np.random.default_rng(0), []
    gold, a, b = (rng.integers(3, size=60) for _ in range(3))
    compare(
        find_metric("macro_f1"), [Sample(np.arange(60), gold, a)], [Sample(np.arange(60), gold, b)], advance=done.append
    )
    assert sum(done) == pytest.approx(COMPARING)
    done.clear()
    estimate(find_metric("macro_f1"), Sample(np.arange(60), gold, a), advance=done.append)
    assert sum(done) == ESTIMATING


@few
@given(
    arrays(float, (2, 2, N), elements=st.floats(-5, 5)),
    arrays(int, (2, 2, 40), elements=st.integers(-1, 1)),
    groups(),
    st.integers(0, 9),
)
def test_what_patients_add_up_to_gives_what_their_cases_do(
    scores: np.ndarray, answered: np.ndarray, who: np.ndarray, seed: int
) -> None:
    """float64; two seeds an arm, patients with one case and with several."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 2, 40)
    of_scores = [[Sample(who, scores=one) for one in arm] for arm in scores]
    of_labels = [[Sample(np.arange(40) // (1 + seed % 2), gold, one) for one in arm] for arm in answered]
    for name, (a, b) in (("mean_score", of_scores), ("macro_f1", of_labels)):
        metric, patient = find_metric(name), a[0].patient_of_case()
        swap = rng.integers(0, 2, (7, patient.max() + 1)).astype(float)
        weights = swap + rng.integers(0, 3, swap.shape)
        weights[:, 0] += 1  # so that none is empty
        fast, slow = paired(metric, a, b, patient), _by_case(metric, a, b, patient)
        assert fast.resampled(weights) == pytest.approx(slow.resampled(weights), abs=1e-9)
        assert fast.swapped(swap) == pytest.approx(slow.swapped(swap), abs=1e-9)


def test_of_very_many_patients_the_distinct_cases_alone_are_rated() -> None:
    """float64; as a full matrix, what 100,000 patients have of 400 distinct cases would take 320 MB an arm."""
    rng, rated = np.random.default_rng(0), []
    patients, gold = np.arange(100_000), rng.integers(20, size=100_000)
    answered = np.where(rng.random((2, len(gold))) < 0.7, gold, rng.integers(20, size=(2, len(gold))))
    a, b = (Sample(patients, gold, one) for one in answered)
    macro_f1 = find_metric("macro_f1")

    def value(sample: Sample, weights: np.ndarray) -> np.ndarray:
        rated.append(len(sample))
        return macro_f1.value(sample, weights)

    tracemalloc.start()
    try:
        differ = paired(replace(macro_f1, value=value), [a], [b], patients)
        found = differ.resampled(np.ones((2, len(gold))))
        differ.swapped(np.zeros((2, len(gold))))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    ones = np.ones((1, len(gold)))
    assert found == pytest.approx(np.repeat(macro_f1.value(a, ones) - macro_f1.value(b, ones), 2))
    assert set(rated) == {400}
    assert most < 100_000_000
