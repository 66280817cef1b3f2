"""Preflight checks of cases, labels, patients, leakage and the chat template; each yields its findings."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from preceptor.data._finding import Finding
from preceptor.data._near_duplicates import near_duplicates
from preceptor.evidence import FEWEST_PATIENTS
from preceptor.tasks import INVALID, Example, Split, Task

NEAR_DUPLICATE = "near_duplicate"
"""The code of the findings of `check_leakage`."""

Parts = Mapping[Split, Sequence[Example]]


def check_sizes(parts: Parts) -> Iterator[Finding]:
    """Empty splits, and test sets with too few patients for useful intervals."""
    for name, cases in parts.items():
        if not cases:
            fix = f"Give more cases, or a higher `limit`; where the data say the split, mark cases as {name}."
            yield Finding("no_cases", "fatal", f"{name} cases", "there are none", fix, split=name)
    patients = len({example.group for example in parts["test"]})
    if 0 < patients < FEWEST_PATIENTS:
        what = f"only {patients} patients, so the intervals will be too wide to decide anything"
        fix = f"Hold out at least {FEWEST_PATIENTS} patients."
        yield Finding("few_patients", "warning", "test cases", what, fix, split="test")


def check_patients(parts: Parts) -> Iterator[Finding]:
    """Leakage: patients in more than one split."""
    seen: dict[str, set[str]] = defaultdict(set)
    for name, examples in parts.items():
        for example in examples:
            seen[example.group].add(name)
    leaking = tuple(sorted(group for group, names in seen.items() if len(names) > 1))
    if leaking:
        fix = "Let the split be made by patient, or put right the column that gives the split."
        what = "in more than one of train, validation, test"
        yield Finding("patient_in_two_splits", "fatal", "patients", what, fix, leaking)


def check_ids(examples: Sequence[Example]) -> Iterator[Finding]:
    """Ids must be unique: predictions are matched by id."""
    duplicates = tuple(sorted(id for id, count in Counter(example.id for example in examples).items() if count > 1))
    if duplicates:
        what = "the id is used more than once"
        yield Finding("doubled_id", "fatal", "cases", what, "Give each case its own id.", duplicates)


def lacks_fields(task: Task, example: Example) -> bool:
    """Whether the example lacks a field of the task; chat messages need none."""
    return example.prompt is None and bool(set(task.fields) - set(example.fields))


def check_cases(task: Task, split: Split, examples: Sequence[Example]) -> Iterator[Finding]:
    """Missing fields, empty inputs and answers, unknown labels, identical pairs, and duplicates within a split."""
    labels = ", ".join(task.labels or task.set_labels)
    checks: list[tuple[str, str, str, Callable[[Example], bool]]] = [
        (
            "missing_fields",
            "fields of the task are missing",
            f"Task {task.name} needs {', '.join(task.fields)}; map each to a column.",
            lambda one: lacks_fields(task, one),
        ),
        ("no_text", "there is no text at all", "Fill in or leave out the case.", lambda one: not _text(one).strip()),
        ("no_answer", "the answer is empty", "Fill in or leave out the case.", lambda one: not one.target.strip()),
        (
            "unknown_label",
            "the answer is not one of the task's labels",
            f"Use one of: {labels}.",
            lambda one: bool(labels and one.target.strip()) and not _has_known_labels(task, one),
        ),
        (
            "identical_pair",
            "chosen and rejected are identical",
            "Leave the pair out or give a rejected answer that differs.",
            lambda one: one.rejected == one.target,
        ),
    ]
    for code, what, fix, is_wrong in checks:
        if ids := tuple(one.id for one in examples if is_wrong(one)):
            yield Finding(code, "fatal", f"{split} cases", what, fix, ids, split)
    yield from _check_repeats(split, examples)


def _has_known_labels(task: Task, one: Example) -> bool:
    if task.set_labels:
        found = task.label_set(one.target)
        return found is not None and found.issubset(task.set_labels)
    return task.parse(one.target) != INVALID


def _check_repeats(split: Split, examples: Sequence[Example]) -> Iterator[Finding]:
    by_text: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_text[_text(example)].append(example)
    repeats = [same for text, same in by_text.items() if len(same) > 1 and text.strip()]
    repeated = tuple(one.id for same in repeats for one in same[1:])
    contradictory = tuple(one.id for same in repeats if len({one.target for one in same}) > 1 for one in same)
    if repeated:
        fix = "Leave the repeats out, unless they are different patients with the same words."
        what = "repeat an earlier case"
        yield Finding("repeat", "warning", f"{split} cases", what, fix, repeated, split)
    if contradictory:
        fix = "Look at these labels: no model can get both right."
        what = "the same input has different answers"
        yield Finding("contradiction", "warning", f"{split} cases", what, fix, contradictory, split)


def label_counts(task: Task, examples: Sequence[Example]) -> dict[str, int]:
    """Cases per label in the task's order, zeros included; empty for a text task. A case may have several labels."""
    if task.set_labels:
        counts = Counter(label for example in examples for label in task.label_set(example.target) or ())
    else:
        counts = Counter(task.parse(example.target) for example in examples) if task.labels else Counter()
    return {label: counts[label] for label in task.labels or task.set_labels}


def check_labels(task: Task, parts: Parts) -> Iterator[Finding]:
    """Splits with a single label, and held-out labels that are absent from training."""
    counts = {name: label_counts(task, examples) for name, examples in parts.items()}
    labelled: tuple[Split, ...] = ("train", "test")
    for name in labelled:
        present = {task.parse(example.target) for example in parts[name] if counts[name]} - {INVALID}
        if len(present) == 1:
            (only,) = present
            fix = "Give cases of at least two labels." if task.labels else "Give cases of other labels."
            what = f"every one has the label {only}" if task.labels else f"every one has the same labels: {only}"
            yield Finding("one_label", "fatal", f"{name} cases", what, fix, split=name)
    held_out = {label for name in ("validation", "test") for label, count in counts[name].items() if count}
    unseen = [label for label in counts["train"] if label in held_out and not counts["train"][label]]
    if unseen:
        what = f"no case of {', '.join(unseen)}, though held-out cases have it"
        fix = "Give more cases, or merge rare labels."
        yield Finding("label_not_in_training", "warning", "train cases", what, fix, split="train")


def check_empty_sets(task: Task, split: Split, examples: Sequence[Example]) -> Iterator[Finding]:
    """Cases without any label, of a task whose answers are sets: counted, since both sets empty is right."""
    ids = tuple(one.id for one in examples if task.set_labels and task.label_set(one.target) == frozenset())
    if ids:
        what = f"have no label; answering {task.answer.empty!r} is right there"
        fix = "Look whether these cases have none, or were never labelled."
        yield Finding("empty_set", "warning", f"{split} cases", what, fix, ids, split)


def check_leakage(parts: Parts) -> Iterator[Finding]:
    """Leakage: held-out cases that are near duplicates of cases in an earlier split."""
    earlier: dict[Split, list[Example]] = {
        "validation": list(parts["train"]),
        "test": [*parts["train"], *parts["validation"]],
    }
    for name, seen in earlier.items():
        held_out = parts[name]
        duplicates = near_duplicates([_text(one) for one in held_out], [_text(one) for one in seen])
        if not duplicates:
            continue
        ids = tuple(held_out[duplicate.held_out].id for duplicate in duplicates)
        similar_to = tuple(seen[duplicate.seen].id for duplicate in duplicates)
        what = f"{len(duplicates)} of {len(held_out)} nearly repeat the text of a case in an earlier split"
        fix = "Give such cases the same patient, so that they stay together, or leave them out."
        yield Finding(NEAR_DUPLICATE, "warning", f"{name} cases", what, fix, ids, name, similar_to)


def check_template(task: Task, tokenizer: Any) -> list[Finding]:
    """The chat template must render the task's system message; the rest of it is checked on loading the tokenizer.

    An encoder has no chat template and is given no instruction.
    """
    from preceptor.models import encode  # brings PyTorch, which reading a table does not need

    if not task.instruction or tokenizer.chat_template is None:
        return []
    messages = [{"role": "system", "content": task.instruction}, {"role": "user", "content": "Question"}]
    prompt = tokenizer.decode(encode(tokenizer, messages, None).prompt)
    if _one_line(task.instruction) in _one_line(prompt):
        return []
    what = "the instruction (system message) does not reach the prompt"
    fix = "Use a model with a sound chat template, or correct its chat_template.jinja."
    return [Finding("template_drops_instruction", "fatal", "chat template", what, fix)]


def _text(example: Example) -> str:
    """The case's own text, without the instruction and template that all cases share."""
    if example.prompt is not None:
        return "\n".join(message["content"] for message in example.prompt if message["role"] != "system")
    return "\n".join(example.fields.values())


def _one_line(text: str) -> str:
    return " ".join(text.split())
