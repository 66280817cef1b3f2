"""The checks of preflight on cases, labels, patients and the chat template; each returns its findings."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from preceptor.data._finding import Finding
from preceptor.data._near_duplicates import near_duplicates
from preceptor.evidence import FEWEST_PATIENTS
from preceptor.models import encode
from preceptor.tasks import INVALID, Example, Split, Task

NEAR_DUPLICATE = "near_duplicate"
"""The code of the findings of `check_across`."""

Parts = Mapping[Split, Sequence[Example]]


def check_sizes(parts: Parts) -> list[Finding]:
    """Each split needs cases; a test on a handful of patients decides nothing."""
    findings = []
    for name, cases in parts.items():
        if not cases:
            fix = f"Give more cases, or a higher `limit`; where the data say the split, mark cases as {name}."
            findings.append(Finding("no_cases", "fatal", f"{name} cases", "there are none", fix, split=name))
    patients = len({example.group for example in parts["test"]})
    if 0 < patients < FEWEST_PATIENTS:
        what = f"only {patients} patients, so the intervals will be too wide to decide anything"
        fix = f"Hold out at least {FEWEST_PATIENTS} patients."
        findings.append(Finding("few_patients", "warning", "test cases", what, fix, split="test"))
    return findings


def check_patients(parts: Parts) -> list[Finding]:
    """A patient in two splits lets the model recognise a patient instead of answering."""
    seen: dict[str, set[str]] = defaultdict(set)
    for name, examples in parts.items():
        for example in examples:
            seen[example.group].add(name)
    crossing = tuple(sorted(group for group, names in seen.items() if len(names) > 1))
    if not crossing:
        return []
    fix = "Let the split be made by patient, or put right the column that gives the split."
    what = "in more than one of train, validation, test"
    return [Finding("patient_in_two_splits", "fatal", "patients", what, fix, crossing)]


def check_ids(examples: Sequence[Example]) -> list[Finding]:
    """Predictions are found by id, so an id stands for one case."""
    twice = tuple(sorted(id for id, count in Counter(example.id for example in examples).items() if count > 1))
    if not twice:
        return []
    what = "the id is used more than once"
    return [Finding("doubled_id", "fatal", "cases", what, "Give each case its own id.", twice)]


def lacks_fields(task: Task, example: Example) -> bool:
    """Whether a field of the task is missing altogether (finished chat turns need none)."""
    return example.prompt is None and bool(set(task.fields) - set(example.fields))


def check_cases(task: Task, split: Split, examples: Sequence[Example]) -> list[Finding]:
    """Schema, empty cases and answers, unknown labels, useless pairs, and the same case twice in one split."""
    labels = ", ".join(task.labels)
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
            lambda one: bool(labels and one.target.strip()) and task.parse(one.target) == INVALID,
        ),
        (
            "identical_pair",
            "chosen and rejected are identical",
            "Leave the pair out or give a rejected answer that differs.",
            lambda one: one.rejected == one.target,
        ),
    ]
    findings = []
    for code, what, fix, is_wrong in checks:
        ids = tuple(one.id for one in examples if is_wrong(one))
        if ids:
            findings.append(Finding(code, "fatal", f"{split} cases", what, fix, ids, split))
    return findings + _check_repeats(split, examples)


def _check_repeats(split: Split, examples: Sequence[Example]) -> list[Finding]:
    by_text: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_text[_text(example)].append(example)
    repeats = [same for text, same in by_text.items() if len(same) > 1 and text.strip()]
    extra = tuple(one.id for same in repeats for one in same[1:])
    torn = tuple(one.id for same in repeats if len({one.target for one in same}) > 1 for one in same)
    findings = []
    if extra:
        fix = "Leave the repeats out, unless they are different patients with the same words."
        what = "repeat an earlier case"
        findings.append(Finding("repeat", "warning", f"{split} cases", what, fix, extra, split))
    if torn:
        fix = "Look at these labels: no model can get both right."
        what = "the same input has different answers"
        findings.append(Finding("contradiction", "warning", f"{split} cases", what, fix, torn, split))
    return findings


def label_counts(task: Task, examples: Sequence[Example]) -> dict[str, int]:
    """Cases of each label, in the task's order, labels without a case included; empty for a free-text task."""
    counts = Counter(task.parse(example.target) for example in examples) if task.labels else Counter()
    return {label: counts[label] for label in task.labels}


def check_labels(task: Task, parts: Parts) -> list[Finding]:
    """One label only can neither be learned nor tested; a label that training never shows cannot be learned."""
    counts = {name: label_counts(task, examples) for name, examples in parts.items()}
    findings = []
    labelled: tuple[Split, ...] = ("train", "test")
    for name in labelled:
        there = [label for label, count in counts[name].items() if count]
        if len(there) == 1:
            fix = "Give cases of at least two labels."
            what = f"every one has the label {there[0]}"
            findings.append(Finding("one_label", "fatal", f"{name} cases", what, fix, split=name))
    held_out = {label for name in ("validation", "test") for label, count in counts[name].items() if count}
    unseen = [label for label in counts["train"] if label in held_out and not counts["train"][label]]
    if unseen:
        what = f"no case of {', '.join(unseen)}, though held-out cases have it"
        fix = "Give more cases, or merge rare labels."
        findings.append(Finding("label_not_in_training", "warning", "train cases", what, fix, split="train"))
    return findings


def check_across(parts: Parts) -> list[Finding]:
    """Nearly the same text on both sides of the split makes the test too easy."""
    before: dict[Split, list[Example]] = {
        "validation": list(parts["train"]),
        "test": [*parts["train"], *parts["validation"]],
    }
    findings = []
    for name, seen in before.items():
        held_out = parts[name]
        twins = near_duplicates([_text(one) for one in held_out], [_text(one) for one in seen])
        if not twins:
            continue
        ids = tuple(held_out[twin.held_out].id for twin in twins)
        similar_to = tuple(seen[twin.seen].id for twin in twins)
        what = f"{len(twins)} of {len(held_out)} nearly repeat the text of a case in an earlier split"
        fix = "Give such cases the same patient, so that they stay together, or leave them out."
        findings.append(Finding(NEAR_DUPLICATE, "warning", f"{name} cases", what, fix, ids, name, similar_to))
    return findings


def check_template(task: Task, tokenizer: Any) -> list[Finding]:
    """The task's own instruction reaches the prompt; the rest of a template is checked when a tokenizer is loaded."""
    if not task.instruction:
        return []
    messages = [{"role": "system", "content": task.instruction}, {"role": "user", "content": "Question"}]
    prompt = tokenizer.decode(encode(tokenizer, messages, None).prompt)
    if _one_line(task.instruction) in _one_line(prompt):
        return []
    what = "the instruction (system message) does not reach the prompt"
    fix = "Use a model with a sound chat template, or correct its chat_template.jinja."
    return [Finding("template_drops_instruction", "fatal", "chat template", what, fix)]


def _text(example: Example) -> str:
    """What tells this case from another: its values, without the instruction and template all cases share."""
    if example.prompt is not None:
        return "\n".join(message["content"] for message in example.prompt if message["role"] != "system")
    return "\n".join(example.fields.values())


def _one_line(text: str) -> str:
    return " ".join(text.split())
