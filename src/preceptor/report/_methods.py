"""The methods of a study in words, ready to paste; what only its authors know stands in square brackets."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from preceptor.evidence import metric_title, number
from preceptor.models import HEAD
from preceptor.preferences import explanations
from preceptor.report._adjustment import adjustment
from preceptor.report._chunks_read import chunks_read
from preceptor.report._limits import spiked_note
from preceptor.report._makers import maker_title
from preceptor.report._run import Run
from preceptor.study import find_kind, kind_names, kind_title
from preceptor.study.results.cell_schema import LabelScoring
from preceptor.study.spec.found import find_answer


def methods(run: Run) -> list[str]:
    """Paragraphs on cases, arms, training, evaluation, statistics and software; only what the run itself says."""
    return [_cases(run), _arms(run), training(run), _evaluation(run), *_raters(run), _statistics(run), _software(run)]


def _cases(run: Run) -> str:
    lines = []
    for task in run.results.study.tasks:
        n = task.counts
        kind = "synthetic cases" if task.synthetic else "cases"
        lines.append(
            f"{task.title} ({metric_title(task.metric)}; {n.train} training, {n.validation} validation and {n.test} "
            f"held-out {kind}, the latter of {n.groups_test} patients)"
        )
    own = any(not task.synthetic for task in run.results.study.tasks)
    source = (
        " [Say where and when the cases arose, who labelled them, and which ethics committee agreed.]" if own else ""
    )
    spiked = f" {note} Held-out cases stayed as they were." if (note := spiked_note(run.results)) else ""
    return (
        f"We studied {_listed(lines)}. Cases were divided by patient, so that no patient stands in two parts; "
        f"the held-out cases chose nothing.{spiked}{source}"
    )


def _arms(run: Run) -> str:
    results, study = run.results, run.results.study
    arms = [results.arm(arm) for arm in study.arms]
    seeds = f"seed {study.seeds[0]}" if len(study.seeds) == 1 else f"seeds {', '.join(map(str, study.seeds))}"
    compared = [arm for arm in arms if not arm.further_source]
    alike: dict[str, list[str]] = {}  # arms on several views have the same words
    for arm in compared:
        alike.setdefault(arm.explanation, []).append(arm.title)
    said = [f"{_listed(titles)}: {words}" for words, titles in alike.items() if words]
    if study.endpoint:
        said.append(f"The served model was {study.endpoint.model}.")
    further = [maker_title(arm.partition("@")[2]) for arm in study.arms if "@" in arm]
    if further:
        said.append(f"SFT+DPO was also done with rejected answers from other makers: {_listed(further)}.")
    names = _listed([arm.phrase for arm in compared])
    own = [f"{arm.phrase} is of {study.models[arm.model].title}" for arm in arms if arm.model in study.models]
    other = f" {_listed(own)}." if own else ""
    words = f"{' '.join(said)}{_views(run)}{_left_out(run)}{_failed(run)}"
    return f"With {study.model.title} we compared {names}, with {seeds}.{other} {words}"


def _views(run: Run) -> str:
    """What arms were shown in place of the prompt."""
    said = []
    for task in run.results.study.tasks:
        views = [
            f"{view.name} ({view.words:.0f} words a case"
            + (", known only after the decision" if view.known == "after" else "")
            + (
                f", with the case's own label in {view.label_share:.0%} of the training cases"
                if view.names_the_answer
                else ""
            )
            + ")"
            for view in task.views
        ]
        if views:
            said.append(f" On {task.title}, arms were shown views of the same cases: {_listed(views)}.")
    return "".join(said)


def _left_out(run: Run) -> str:
    """Which arms a task went without."""
    titles = {task.name: task.title for task in run.results.study.tasks}
    said = [f"{run.results.arm(one.arm).phrase} of {titles[one.task]} ({one.reason})" for one in run.results.left_out]
    return f" Left out: {'; '.join(said)}." if said else ""


def _failed(run: Run) -> str:
    """Which of the planned results are missing."""
    titles = {task.name: task.title for task in run.results.study.tasks}
    said = [
        f"{run.results.arm(one.arm).phrase} on {titles[one.task]} with seed {one.seed} (in {one.stage}: {one.reason})"
        for one in run.results.failed
    ]
    return f" Planned and failed, so without a result: {'; '.join(said)}." if said else ""


def training(run: Run, task: str | None = None) -> str:
    """How the tuned arms were trained, from the settings of the run; those of `task` where it has its own."""
    own = run.entry(task) if task else {}
    named = _block(run.settings, "stages")
    stages = [stage for arm in run.results.study.arms for stage in run.results.arm(arm).stages]
    names = list(dict.fromkeys(stage.partition("@")[0] for stage in stages))
    kinds = {name: str(_block(named, name).get("kind", name)) for name in names}
    if not kinds:
        return "No language model was trained."
    blocks = {name: _block(own, kind) or _block(run.settings, kind) for name, kind in kinds.items()}
    if not blocks[names[0]]:
        return "[The settings of this study could not be read again; describe the training here.]"
    labels = any(each.labels for each in run.results.study.tasks if task in (None, each.name))
    sentences = [
        ("" if name == kinds[name] else f"Stage {name}: ")
        + _how_trained(kinds[name], _told(block | _block(named, name), labels=labels), _tuned(run, name))
        + _frozen(run.settings, name)
        + chunks_read(kinds[name], _block(run.settings, "slots"), _block(named, name).get("train") or [])
        for name, block in blocks.items()
        if block
    ]
    sentences += [said for said in (_learning(run), _pairs(run)) if said]
    entries = [run.entry(each.name) for each in run.results.study.tasks]
    if task is None and any(entry.get(kind) for entry in entries for kind in kinds.values()):
        sentences.append("Some tasks had training settings of their own, which the study file lists.")
    return " ".join(sentences)


def _told(settings: dict[str, Any], *, labels: bool) -> dict[str, Any]:
    """Without the settings of labels where no task has any."""
    return {name: value for name, value in settings.items() if labels or not name.startswith("label_")}


def _how_trained(name: str, settings: dict[str, Any], adapter: str) -> str:
    """In the words of the kind's own file, where it has some."""
    kind = find_kind(name) if name in kind_names() else None
    if kind is not None and hasattr(kind, "how_trained"):
        return str(kind.how_trained(settings, adapter))
    return f"{kind_title(name)}: {kind.explanation}" if kind else f"{kind_title(name)} was trained, too."


def _learning(run: Run) -> str:
    """How many numbers each stage trained, by slot."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in run.results.cells:
        for kind, slots in cell.learning.items():
            counts = _listed([f"{count:,} in {slot}" for slot, count in slots.items()])
            found.setdefault((kind, counts), []).append(run.results.arm(cell.arm).phrase)
    several = Counter(kind for kind, _ in found)
    said = [
        kind_title(kind) + (f" of {_listed(list(dict.fromkeys(arms)))}" if several[kind] > 1 else "") + f" {counts}"
        for (kind, counts), arms in found.items()
    ]
    return f"Numbers that learned, by slot: {'; '.join(said)}." if said else ""


def _tuned(run: Run, stage: str) -> str:
    """What learned in a stage beside a head; "" where nothing did."""
    settings, arms = run.settings, map(run.results.arm, run.results.study.arms)
    model = next((arm.model for arm in arms if stage in (one.partition("@")[0] for one in arm.stages)), None)
    if _block(_block(settings, "models"), model or "").get("family"):
        return f"the net {model}, from scratch,"
    adapter, slots = _block(settings, "adapter"), _block(settings, "slots")
    if slots and adapter:  # which is none where every weight learns, beside heads alone
        entry = _block(_block(settings, "stages"), stage)
        adapters = [name for name, slot in slots.items() if slot.get("type") != HEAD]
        train = entry.get("train") or [name for name in adapters if name not in entry.get("use", ())]
        return _slots(slots, [name for name in train if name in adapters])
    if not adapter:
        return "every weight of the model"
    return f"a LoRA adapter (rank {adapter.get('rank')}, alpha {adapter.get('alpha')})"


def _frozen(settings: dict[str, Any], stage: str) -> str:
    """A sentence on the slots that a stage used as they were."""
    used = _block(_block(settings, "stages"), stage).get("use")
    return f" Active and frozen meanwhile: {_slots(_block(settings, 'slots'), used)}." if used else ""


def _slots(slots: dict[str, Any], names: Sequence[str]) -> str:
    return _listed([f"slot {name} ({slots[name].get('type')})" for name in names])


def _pairs(run: Run) -> str:
    model = _block(run.settings, "judge").get("model", "a language model")
    words = {origin: text.format(model=model) for origin, text in explanations(run.results.study.makers).items()}
    if any(task.spike for task in run.results.study.tasks):  # such data bring none of their own
        spiked = "the chosen ones with that error put behind them"
        words = {origin: text.replace("given by the data", spiked) for origin, text in words.items()}
    made = [text for origin, text in words.items() if any(cell.pairs.get(origin) for cell in run.results.cells)]
    dropped = any(
        found.identical or found.rejected_right for cell in run.results.cells if (found := cell.pair_findings)
    )
    also = " Pairs of identical answers, and those whose rejected answer was right, were dropped." if dropped else ""
    return f"Rejected answers were {_listed(made)}.{also}" if made else ""


def _evaluation(run: Run) -> str:
    length = run.settings.get("max_length")
    cut = f" Prompt and answer were limited to {length} tokens." if isinstance(length, int) else ""
    found = [cell.label_scoring for cell in run.results.cells if cell.label_scoring]
    study = run.results.study
    writers = any(_may_write(run.results.arm(arm).answer) for arm in study.arms)
    written = writers and (not found or any(not task.labels for task in study.tasks))
    what = ", text by" if found else ","
    how = f"{what} the likeliest token at each step" if written else ""
    prompts = "" if any(task.views for task in study.tasks) else " with the same prompts"
    return (
        f"Every arm answered the same held-out cases{prompts}{how}.{_scored_labels(found)}{_sets(run)} "
        f"An answer that could not be read counted as wrong.{cut}"
    )


def _may_write(answer: str) -> bool:
    """Whether a language model answers by its own output over tokens, and not by a head."""
    way = find_answer(answer)
    return way.language_model and not getattr(way, "needs_head", False)


def _scored_labels(found: Sequence[LabelScoring]) -> str:
    """How language models answered with labels; "" where they wrote."""
    if not found:
        return ""
    reasons = any(one.without_marker is not None for one in found)
    behind = " and the model's own greedy reasoning up to the marker" if reasons else ""
    put = " Where it wrote no marker, one was put there." if reasons else ""
    return (
        " Labels were scored by language models: the answer is the label with the highest log-probability (summed over "
        f"its tokens and the stop token, float32) behind the prompt{behind}, minus tau times that label's mean over at "
        "most 64 training prompts (batch calibration, Zhou et al. 2024); tau, 0, 0.5 or 1, was chosen on validation "
        "cases by the task's metric. Probabilities of labels are the softmax of these scores, with tau 0 for trained "
        f"arms and the chosen tau for untrained ones.{put} Free text was written for validation cases alone."
    )


def _sets(run: Run) -> str:
    """How arms answered with several labels; "" where no task asks for them."""
    if not any(task.set_labels for task in run.results.study.tasks):
        return ""
    rule = (
        " Where an arm scores labels, all from one threshold on were given; it was chosen on validation cases, for "
        "every arm by the same rule, by the task's metric of sets."
        if any(cell.threshold is not None for cell in run.results.cells)
        else ""
    )
    return (
        f" Where a case has several labels, the list of labels was fixed beforehand.{rule} A label outside the list "
        "counted as wrong; no label asked and none given counted as right."
    )


def _raters(run: Run) -> list[str]:
    """A paragraph on people's judgements, where there are any."""
    results, said = run.results, []
    if results.human:
        raters = len({rater.rater for one in results.human for rater in one.raters})
        asked = _listed(list(dict.fromkeys(one.scale for one in results.human)))
        who = "One rater" if raters == 1 else f"{raters} raters"
        said.append(
            f"{who} [who they are] judged held-out answers on which two arms differed, blind to the arm and in random "
            f"order ({asked}); points were averaged over the raters of a case, compared by patient, and p-values "
            "adjusted by Benjamini and Hochberg's method over all that was asked."
        )
    if any(task.human_agreement for task in results.study.tasks):
        said.append("Gold labels were given by raters [who they are] without seeing any model's answer.")
    if said:
        said.append("Agreement is given as Krippendorff's alpha and Cohen's kappa, with patients resampled.")
    return [" ".join(said)] if said else []


def _statistics(run: Run) -> str:
    results = run.results
    primary = list(dict.fromkeys((c.a, c.b) for c in results.contrasts if c.family == "primary"))
    said = []
    if primary and results.design:
        pairs = _listed([f"{results.arm(a).phrase} against {results.arm(b).phrase}" for a, b in primary])
        when = (
            "was changed after predictions had been made"
            if results.design.changed
            else "was fixed before any prediction"
        )
        said.append(f"The primary contrasts were {pairs}; the design (SHA-256 {results.design.sha256[:12]}) {when}.")
    margins = {None if t.margin is None else number(t.margin, beside=t.margin) for t in results.study.tasks}
    if margins - {None}:
        said.append(f"Differences below {_listed(sorted(m for m in margins if m))} were taken not to matter.")
    if results.contrasts:
        intervals = _listed(sorted({contrast.interval for contrast in results.contrasts}))
        tests = _listed(sorted({contrast.test for contrast in results.contrasts}))
        said.append(
            f"Arms were compared on the same patients. Intervals of 95% (unadjusted): {intervals}. Tests: {tests}, "
            f"two-sided. P-values were adjusted {adjustment(results)}."
        )
        if margins - {None}:
            said.append(
                "That a difference lies below the margin rests on its 90% interval, tested at 5% on each side and not "
                "adjusted for the number of tasks."
            )
    return " ".join(said) or "No arms were compared."


def _software(run: Run) -> str:
    return f"Software: {_listed([f'{name} {version}' for name, version in run.results.versions.items()])}."


def _block(settings: dict[str, Any], name: str) -> dict[str, Any]:
    block = settings.get(name)
    return block if isinstance(block, dict) else {}


def _listed(words: list[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
