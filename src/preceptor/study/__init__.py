"""What is compared: the study file, the stage tree, the runner, the run folder and what each arm cost."""

from preceptor.study._answer import in_own_words
from preceptor.study._arm_of_run import ArmOfRun, held_out, open_arm
from preceptor.study._arm_pairs import rows_of_arm
from preceptor.study._check import check_study
from preceptor.study._evaluate import Prediction, read_predictions
from preceptor.study._gold_items import gold_items
from preceptor.study._label_items import items_to_label
from preceptor.study._looks import ordinal
from preceptor.study._machine import Machine, machine
from preceptor.study._made_from import refuse_old_results
from preceptor.study._needs import Need, Plan, plan_study, read_planned
from preceptor.study._needs_remedies import remedies
from preceptor.study._prepare import Checked, Prepared
from preceptor.study._purge import Purge, open_purge
from preceptor.study._purged import refuse_purged
from preceptor.study._runner import run_study
from preceptor.study._spec import Study, TaskEntry
from preceptor.study._study_file import builtin_studies, load_study, make_study
from preceptor.study._study_folder import study_folders

__all__ = [
    "ArmOfRun",
    "Checked",
    "Machine",
    "Need",
    "Plan",
    "Prediction",
    "Prepared",
    "Purge",
    "Study",
    "TaskEntry",
    "builtin_studies",
    "check_study",
    "gold_items",
    "held_out",
    "in_own_words",
    "items_to_label",
    "load_study",
    "machine",
    "make_study",
    "open_arm",
    "open_purge",
    "ordinal",
    "plan_study",
    "read_planned",
    "read_predictions",
    "refuse_old_results",
    "refuse_purged",
    "remedies",
    "rows_of_arm",
    "run_study",
    "study_folders",
]
