"""What a study like this does not show, said on its own page."""

from preceptor.report._read import Run


def limits(run: Run) -> list[str]:
    """The limits that hold for this run, most important first."""
    said = [_synthetic(run), _seeds(run), _control(run), _degenerate(run)]
    return [limit for limit in said if limit] + [
        f"It is about one model, {run.model}, with one prompt for each task. A larger or other model may need no "
        "tuning, or gain more from it.",
        "Intervals hold for patients like the held-out ones. Another hospital, another year or other writing habits "
        "were not tested.",
        "A metric is not a benefit: whether answers like these help a patient or a clinician was not measured. The "
        "tuned models are not medical devices and must not be used for care on the strength of this page.",
    ]


def synthetic_note(run: Run) -> str:
    """The line a reader must see first: which cases no patient and no clinician stands behind; empty when none."""
    synthetic = [task.title for task in run.tasks if task.synthetic]
    if not synthetic:
        return ""
    if len(synthetic) == len(run.tasks):
        return "The cases are synthetic and no clinician has reviewed them."
    return f"The cases of {', '.join(synthetic)} are synthetic and no clinician has reviewed them."


def _synthetic(run: Run) -> str:
    if not synthetic_note(run):
        return ""
    return (
        "Synthetic cases follow the rule they were made from, in wordings of our own. Real notes are longer and "
        "messier, and real gold labels are disputed; results on them will differ."
    )


def _seeds(run: Run) -> str:
    if len(run.seeds) > 1:
        return ""
    return (
        f"Every arm was trained once, with seed {run.seeds[0]}. The intervals hold the chance in the choice of "
        "patients, not the chance in training: trained again, an arm may come out better or worse."
    )


def _control(run: Run) -> str:
    if "sft+dpo" not in run.arms or "sft+sft" in run.arms:
        return ""
    return (
        "SFT+DPO was trained for longer than SFT. No arm continued SFT for the same compute, so a gain of DPO may be "
        "a gain of more training."
    )


def _degenerate(run: Run) -> str:
    low_is_high = any(cell.ci[0] is not None and cell.ci[0] == cell.ci[1] for task in run.tasks for cell in task.cells)
    if not low_is_high:
        return ""
    return (
        "An interval without width means that resampling these patients always gave the same value, not that the "
        "value is certain."
    )
