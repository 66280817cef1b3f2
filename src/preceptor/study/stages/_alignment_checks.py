"""What is wrong with a stage that aligns profiles and drugs, found on its cases before anything is trained."""

from collections.abc import Iterator

from preceptor.errors import Problem
from preceptor.study.cases import TaskCases, case_text, through_view
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stages._alignment import drugs_and_profiles
from preceptor.tasks import DRUGS_OF_VISIT, PLACEHOLDER, PROFILE, read_visits


def alignment_problems(stage: StageRef, study: Study, cases: TaskCases) -> list[Problem]:
    """What a stage cannot align; nothing of one that aligns nothing."""
    if not _aligns(stage, study, cases):
        return []
    where = f"stage {stage.name}, align"
    if not study.is_made(stage.model):
        what = "it is for small nets over sets of codes, and this model reads text"
        return [Problem(where, what, "Name a model of `family: codes`, or take it out.")]
    if not cases.task.set_labels:
        return [Problem(where, f"a case of {cases.task.name} has no set of labels", "Take it out.")]
    found = list(_profile_problems(stage, cases, where))
    if study.settings_of(stage, cases.entry).batch_size == 1:
        what = "a case is compared with the others of its batch, and `batch_size` is 1"
        found.append(Problem(where, what, "Raise it, or take `align` out."))
    if not found and not _known_drugs(stage, cases):
        what = f"no drug that a training case is to be given stands among the {DRUGS_OF_VISIT} of any earlier visit"
        found.append(Problem(where, what, "Write them there as the task's labels are called, or take it out."))
    return found


def unaligned_drugs(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """How many drugs the net does not know, because no earlier visit has them."""
    if not _aligns(stage, study, cases):
        return None
    given, known = _given_drugs(stage, cases), _known_drugs(stage, cases)
    if not known or known == given:  # none at all is refused
        return None
    what = f"{len(given - known)} of {len(given)} drugs stand in no earlier visit, and are passed over where it aligns"
    return Problem(f"stage {stage.name}, align", what, "Expect nothing of them there; the answers have them all.")


def _aligns(stage: StageRef, study: Study, cases: TaskCases) -> bool:
    """Whether it aligns anything, on a task that has the view of its arm."""
    aligns = study.settings_of(stage, cases.entry).align is not None
    return aligns and (stage.view is None or stage.view in cases.entry.views)


def _profile_problems(stage: StageRef, cases: TaskCases, where: str) -> Iterator[Problem]:
    template = cases.entry.views[stage.view].template if stage.view else cases.task.prompt
    lines = [line for line in template.splitlines() if line.startswith(f"{PROFILE}: ")]
    named = [name for line in lines for name in PLACEHOLDER.findall(line)]
    if not named:
        shown = f"view {stage.view}" if stage.view else "the task's prompt"
        fix = f"Begin it with a line as `{PROFILE}: sex {{sex}}; age {{age}}`, of columns that you name."
        yield Problem(where, f"{shown} has no profile of the patient", fix)
    if unseen := [name for name in named if name not in cases.entry.data.subgroups]:
        what = f"results are not broken down by {', '.join(unseen)}, which the profile has"
        yield Problem(where, what, "Name it in the task's `data.subgroups`, so that who is served worse is seen.")


def _given_drugs(stage: StageRef, cases: TaskCases) -> set[str]:
    return {drug for drugs, _ in drugs_and_profiles(through_view(cases, stage.view)) for drug in drugs}


def _known_drugs(stage: StageRef, cases: TaskCases) -> set[str]:
    """Those of them that the net knows as drugs."""
    seen = through_view(cases, stage.view)
    visits = [visit for one in seen.splits.train for visit in read_visits(case_text(seen.task, one))]
    return _given_drugs(stage, cases) & {drug for visit in visits for drug in visit.get(DRUGS_OF_VISIT, [])}
