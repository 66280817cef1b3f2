"""Words that a reader outside of machine learning may not know, explained where the study uses them."""

from preceptor.evidence import find_metric, metric_names
from preceptor.study.results.schema import Results

_ALWAYS = {
    "Held-out cases": "Cases of patients that no arm learned from and that chose nothing. All results are about them.",
    "Arm": "One way of getting answers: the untouched model, or the model after some training.",
    "95% interval": "Where the true value may well lie, going by the chance in which patients were held out. If the "
    "study were done again and again, about 95 of 100 such intervals would hold it.",
    "p and adjusted p": "How often a difference as large as the one seen would arise by chance if the two arms were "
    "alike. Adjusted: made larger, because the more is asked, the more is found by chance; each "
    "table says how.",
    "Primary contrast": "A comparison named before the first prediction as one that the conclusion rests on.",
    "Seed": "The number that fixes chance in training. Trained with another, a model comes out a little different.",
    "Invalid answer": "An answer that could not be read as one of the allowed ones. It counts as wrong.",
    "FLOPs": "Floating-point operations: how much was computed, whatever the machine.",
    "Pilot silently": "Run it beside usual care, without anyone acting on its answers, and compare them with what "
    "clinicians decided.",
}


def words(results: Results) -> list[tuple[str, str]]:
    """Term and explanation, of what this study uses."""
    tasks = results.study.tasks
    arms = [results.arm(arm) for arm in results.study.arms]
    used = {task.metric for task in tasks} | {extra.metric for task in tasks for extra in task.also}
    found = [(arm.title, arm.explanation) for arm in arms if arm.explanation and not arm.further_source]
    if any(task.majority is not None for task in tasks):
        found.append(("Majority answer", "The commonest training label, given to every case."))
    metrics = [find_metric(name) for name in metric_names() if name in used]
    found += [(metric.title[0].upper() + metric.title[1:], metric.explanation) for metric in metrics]
    if any(task.margin is not None for task in tasks):
        found.append(
            ("Margin", "The smallest difference that matters, set before the study. Two arms are called equivalent "
             "only when the 90% interval of their difference lies inside it.")
        )  # fmt: skip
    if any(arm.further_source for arm in arms):
        found.append(
            ("Maker of pairs", "Where the rejected answers of DPO come from. An arm with a maker's name behind it "
             "differs from SFT+DPO in nothing else.")
        )  # fmt: skip
    if results.human or any(task.human_agreement for task in tasks):
        found.append(
            ("Alpha and kappa", "How far raters agree beyond what chance would give: 1 is always, 0 no more than by "
             "chance. Alpha (Krippendorff) takes any number of raters, kappa (Cohen) two at a time.")
        )  # fmt: skip
    if any(name.startswith("rewards/") for cell in results.cells for kind in cell.curves.values() for name in kind):
        found.append(
            ("Reward margin", "In DPO's training, how much more the model has come to prefer right over wrong "
             "answers than it did before: 0 at the start.")
        )  # fmt: skip
    return found + list(_ALWAYS.items())
