"""A few cases of each label, as where only few could be labelled: of 4 and of 16, the 4 are among the 16."""

from collections import Counter
from collections.abc import Callable, Sequence

from preceptor.data._split import cases_by_patient
from preceptor.tasks import Example


def few_of_each_label(
    examples: Sequence[Example], label_of: Callable[[Example], str], per_label: int, seed: int | str
) -> list[int]:
    """The places of at most `per_label` examples of each label, in the order of the data.

    Patients are met in a random order that `seed` fixes, and each gives its first case alone. A label that fewer
    patients begin with has fewer.
    """
    taken, count = list[int](), Counter[str]()
    for first, *_ in cases_by_patient([one.group for one in examples], seed).values():
        label = label_of(examples[first])
        if count[label] < per_label:
            count[label] += 1
            taken.append(first)
    return sorted(taken)


def most_of_each_label(examples: Sequence[Example], label_of: Callable[[Example], str]) -> Counter[str]:
    """How many of each label `few_of_each_label` could take."""
    by_patient = cases_by_patient([one.group for one in examples], 0)
    return Counter(label_of(examples[first]) for first, *_ in by_patient.values())
