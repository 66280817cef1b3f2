"""What a study like this does not show, said on its own page."""

from preceptor.evidence import FEWEST_SEEDS
from preceptor.report._looks import arm_label
from preceptor.study.results.schema import Results
from preceptor.study.spec.arms import GENERATE


def limits(results: Results) -> list[str]:
    """The limits that hold for this study, most important first."""
    said = [
        _failed(results),
        _spiked(results),
        _synthetic(results),
        _seeds(results),
        _control(results),
        _shots(results),
        _degenerate(results),
    ]
    return [limit for limit in said if limit] + [
        f"It is about one model, {results.study.model.title},{_others(results)} with one prompt for each task. A "
        "larger or other model may need no tuning, or gain more from it.",
        "Intervals hold for patients like the held-out ones. Another hospital, another year or other writing habits "
        f"were not tested{_groups(results)}.",
        _agreement(results),
        "A metric is not a benefit: whether answers like these help a patient or a clinician was not measured. The "
        "tuned models are not medical devices and must not be used for care on the strength of this page.",
    ]


def _others(results: Results) -> str:
    """The models beside it; "" where there are none."""
    others = [one.title for one in results.study.models.values()]
    return f" beside {', '.join(others)}," if others else ""


def synthetic_note(results: Results) -> str:
    """The line a reader must see first: which cases no patient and no clinician stands behind; empty when none."""
    tasks = results.study.tasks
    synthetic = [task.title for task in tasks if task.synthetic]
    if not synthetic:
        return ""
    if len(synthetic) == len(tasks):
        return "The cases are synthetic and no clinician has reviewed them."
    return f"The cases of {', '.join(synthetic)} are synthetic and no clinician has reviewed them."


def exploratory_note(results: Results) -> str:
    """Why these results are exploratory; empty when they are not."""
    if not results.exploratory:
        return ""
    again = [task.title for task in results.study.tasks if task.looked_at_before]
    reasons = []
    if again:
        reasons.append(f"the held-out cases of {', '.join(again)} had been looked at before")
    if results.design and results.design.changed:
        reasons.append("the design was changed after predictions had been made")
    why = _sentence(" and ".join(reasons) or "the study says so")
    return f"{why} What is suggested here must be confirmed on new cases."


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _groups(results: Results) -> str:
    if any(task.subgroups for task in results.study.tasks):
        return "; subgroups are described, and too small to be tested"
    return ", nor whether the model does worse for some groups of patients (`subgroups:` in the study file names them)"


def _agreement(results: Results) -> str:
    without = [task.title for task in results.study.tasks if not task.human_agreement]
    if not without:
        return "How long clinicians took to label these cases was not measured."
    these = "these cases" if len(without) == len(results.study.tasks) else f"the cases of {', '.join(without)}"
    return (
        f"How well clinicians would agree with each other on {these} was not measured (`gold:` in the study file names "
        "labels of several), nor how long they took to label them."
    )


def _failed(results: Results) -> str:
    if not results.failed:
        return ""
    titles = {task.name: task.title for task in results.study.tasks}
    cells = dict.fromkeys(
        f"{arm_label(results, one.arm)} on {titles[one.task]} (seed {one.seed})" for one in results.failed
    )
    return f"These failed and have no result: {', '.join(cells)}. Nothing here is known of them."


def _synthetic(results: Results) -> str:
    if not synthetic_note(results):
        return ""
    return (
        "Synthetic cases follow the rule they were made from, in wordings of our own. Real notes are longer and "
        "messier, and real gold labels are disputed; results on them will differ."
    )


def spiked_note(results: Results) -> str:
    """That the training data hold an error on purpose, and where; empty where none do."""
    said = [
        f'in {spike.share:.0%} of the training and validation cases of {task.title}, "{spike.text}" was put behind the '
        "answer that is learned"
        for task in results.study.tasks
        if (spike := task.spike)
    ]
    return f"An error was put into the training data on purpose: {'; '.join(said)}." if said else ""


def _spiked(results: Results) -> str:
    if not spiked_note(results):
        return ""
    return (
        "The training data are not the archive as it was: what training removed is an error that was put in, of one "
        "wording. How often errors like it stand in real archives, and whether they go as easily, was not measured."
    )


def _seeds(results: Results) -> str:
    seeds = results.study.seeds
    if len(seeds) >= FEWEST_SEEDS:
        return ""
    times = f"once, with seed {seeds[0]}" if len(seeds) == 1 else f"with only {len(seeds)} seeds"
    return (
        f"Every arm was trained {times}. The intervals hold the chance in the choice of patients, not the chance in "
        "training: trained again, an arm may come out better or worse."
    )


def _control(results: Results) -> str:
    arms = [arm for arm in map(results.arm, results.study.arms) if arm.trained and not arm.further_source]
    continued = [arm.stages[:-1] for arm in arms if arm.control_of]
    for arm in arms:
        begun = next((one for one in arms if one.stages == arm.stages[:-1]), None)
        if begun and arm.control_of is None and begun.stages not in continued:
            stage = arm.title.rsplit("+", 1)[-1]
            return (
                f"{arm.title} was trained for longer than {begun.title}. No arm continued {begun.title} for the same "
                f"compute, so a gain of {stage} may be a gain of more training."
            )
    return ""


def _shots(results: Results) -> str:
    untouched = [arm.answer for arm in map(results.arm, results.study.arms) if not arm.trained]
    if GENERATE not in untouched or "shots" in untouched:
        return ""
    return (
        "The untouched model was asked without examples. Part of what training gains over it may be the form of the "
        "answer, which a few examples in the prompt would have shown it too."
    )


def _degenerate(results: Results) -> str:
    if not any(cell.ci and cell.ci[0] is not None and cell.ci[0] == cell.ci[1] for cell in results.cells):
        return ""
    return (
        "An interval without width means that resampling these patients always gave the same value, not that the "
        "value is certain."
    )
