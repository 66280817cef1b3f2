"""What is compared: the study file, the stage tree, the runner, the run folder and what each arm cost."""

from preceptor.study.answers._greedy import greedy_generation
from preceptor.study.cases import Prepared
from preceptor.study.check import Looked, check_study, look_at_study
from preceptor.study.finished.arm import ArmOfRun, held_out, open_arm
from preceptor.study.finished.pairs_of_arm import rows_of_arm
from preceptor.study.label.gold import gold_items
from preceptor.study.label.items import items_to_label
from preceptor.study.label_scores.scored import LabelAnswers, LabelRule, label_answers
from preceptor.study.plan.machine import Machine, machine
from preceptor.study.plan.remedies import remedies
from preceptor.study.plan.requirements import Need, Plan, plan_study, read_planned
from preceptor.study.plan.with_progress import plan_with_progress
from preceptor.study.predictions.prediction_files import Prediction, read_predictions
from preceptor.study.run.provenance import check_results_current
from preceptor.study.run.purge import Purge, open_purge
from preceptor.study.run.purge_mark import check_not_purged
from preceptor.study.run.study_folder import study_folders
from preceptor.study.run.test_set_ledger import ordinal
from preceptor.study.runner import run_study
from preceptor.study.spec.file import builtin_studies, load_study, make_study
from preceptor.study.spec.found import answer_names, find_kind, kind_names, kind_title
from preceptor.study.spec.other_model import model_from_here, usual_run_folder, with_model
from preceptor.study.spec.setting_blocks import study_class
from preceptor.study.spec.study import Study, TaskEntry

__all__ = [
    "ArmOfRun",
    "LabelAnswers",
    "LabelRule",
    "Looked",
    "Machine",
    "Need",
    "Plan",
    "Prediction",
    "Prepared",
    "Purge",
    "Study",
    "TaskEntry",
    "answer_names",
    "builtin_studies",
    "check_not_purged",
    "check_results_current",
    "check_study",
    "find_kind",
    "gold_items",
    "greedy_generation",
    "held_out",
    "items_to_label",
    "kind_names",
    "kind_title",
    "label_answers",
    "load_study",
    "look_at_study",
    "machine",
    "make_study",
    "model_from_here",
    "open_arm",
    "open_purge",
    "ordinal",
    "plan_study",
    "plan_with_progress",
    "read_planned",
    "read_predictions",
    "remedies",
    "rows_of_arm",
    "run_study",
    "study_class",
    "study_folders",
    "usual_run_folder",
    "with_model",
]
