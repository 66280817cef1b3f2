"""What is wrong with the profiles that a small net is shown, and with a stage that aligns them with drugs, found on its
cases before anything is trained.
"""

from collections.abc import Iterator

from preceptor.errors import Problem
from preceptor.study.cases import TaskCases, case_text, through_view
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stages._alignment import drugs_and_profiles
from preceptor.tasks import DRUGS_OF_VISIT, PLACEHOLDER, PROFILE, read_visits


def profile_problems(stage: StageRef, study: Study, cases: TaskCases) -> list[Problem]:
    """What is wrong with the profiles of a net of codes: of what results are not broken down by, in the data in place
    of the template, and behind the visits, where a profile would be the last of them.
    """
    if not study.knows_codes(stage.model) or not _has_view(stage, cases):
        return []
    where, lines = f"stage {stage.name}, {_shown(stage)}", _template(stage, cases).splitlines()
    own, found = [line.startswith(f"{PROFILE}: ") for line in lines], list[Problem]()
    if own != sorted(own, reverse=True):
        fix = "Begin the template with it: what stands in the last line is the present visit."
        found.append(Problem(where, "a profile stands behind other lines", fix))
    if unseen := [name for name in _profile_columns(stage, cases) if name not in cases.entry.data.subgroups]:
        what = f"results are not broken down by {', '.join(unseen)}, which the profile has"
        fix = "Name it in the task's `data.subgroups`, so that who is served worse is seen."
        found.append(Problem(where, what, fix))
    if any(sum(PROFILE in visit for visit in visits) > sum(own) for visits in _visits(stage, cases)):
        fix = f"Write the line into the template, as `{PROFILE}: sex {{sex}}; age {{age}}`, of columns that you name."
        found.append(Problem(where, "a field holds a profile of the patient", fix))
    return found


def alignment_problems(stage: StageRef, study: Study, cases: TaskCases) -> list[Problem]:
    """What a stage cannot align; nothing of one that aligns nothing."""
    if not _aligns(stage, study, cases):
        return []
    where = f"stage {stage.name}, align"
    if not study.knows_codes(stage.model):
        what = "it is for small nets over sets of codes, and this model reads text"
        return [Problem(where, what, "Name a model of `family: codes`, or take it out.")]
    if not cases.task.set_labels:
        return [Problem(where, f"a case of {cases.task.name} has no set of labels", "Take it out.")]
    found = list[Problem]()
    if not _profile_columns(stage, cases):
        fix = f"Begin it with a line as `{PROFILE}: sex {{sex}}; age {{age}}`, of columns that you name."
        found.append(Problem(where, f"{_shown(stage)} has no profile of the patient", fix))
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
    return study.settings_of(stage, cases.entry).align is not None and _has_view(stage, cases)


def _has_view(stage: StageRef, cases: TaskCases) -> bool:
    return stage.view is None or stage.view in cases.entry.views


def _shown(stage: StageRef) -> str:
    return f"view {stage.view}" if stage.view else "the task's prompt"


def _template(stage: StageRef, cases: TaskCases) -> str:
    return cases.entry.views[stage.view].template if stage.view else cases.task.prompt


def _profile_columns(stage: StageRef, cases: TaskCases) -> list[str]:
    lines = [line for line in _template(stage, cases).splitlines() if line.startswith(f"{PROFILE}: ")]
    return [name for line in lines for name in PLACEHOLDER.findall(line)]


def _visits(stage: StageRef, cases: TaskCases) -> Iterator[list[dict[str, list[str]]]]:
    """Those of each training case, as the stage is shown them."""
    seen = through_view(cases, stage.view)
    return (read_visits(case_text(seen.task, one)) for one in seen.splits.train)


def _given_drugs(stage: StageRef, cases: TaskCases) -> set[str]:
    return {drug for drugs, _ in drugs_and_profiles(through_view(cases, stage.view)) for drug in drugs}


def _known_drugs(stage: StageRef, cases: TaskCases) -> set[str]:
    """Those of them that the net knows as drugs."""
    visits = [visit for visits in _visits(stage, cases) for visit in visits]
    return _given_drugs(stage, cases) & {drug for visit in visits for drug in visit.get(DRUGS_OF_VISIT, [])}
