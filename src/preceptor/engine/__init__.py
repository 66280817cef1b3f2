"""How a model is tuned: prefix trees, losses, the `sft` and `dpo` stages, generation and scoring. Knows token ids."""

from preceptor.engine.cost import Cost, release_memory, timed
from preceptor.engine.estimate.memory import ModelBytes, model_bytes
from preceptor.engine.estimate.speed import MEASUREMENTS, Speed, measure
from preceptor.engine.estimate.work import (
    Unit,
    Work,
    as_look,
    flops_of,
    look_work,
    times,
    training_work,
    tree_work,
    writing_work,
)
from preceptor.engine.losses import (
    LabelBalance,
    balanced_labels,
    dpo_loss,
    label_loss,
    label_set_loss,
    reward_margins,
    sft_loss,
)
from preceptor.engine.memory_errors import out_of_memory, without_case
from preceptor.engine.output_layer import float32_head
from preceptor.engine.precision import choose_numerics
from preceptor.engine.settings import DPOSettings, Numerics, NumericsChoice, SFTSettings, TrainSettings
from preceptor.engine.training.dpo import dpo_steps, run_dpo
from preceptor.engine.training.flops_budget import SFTExample, sft_steps_worth
from preceptor.engine.training.label_choice import EncodedChoice
from preceptor.engine.training.reference import EncodedPair
from preceptor.engine.training.sft import run_sft, sft_steps
from preceptor.engine.training.slot_checks import idle_slots
from preceptor.engine.training.stage import Forward, Loss, Stage, train
from preceptor.engine.training.trackers import Tracker, Tracking, find_tracker, tell_once
from preceptor.engine.training.tune import tune
from preceptor.engine.tree.batches import schedule, split_into_trees
from preceptor.engine.tree.layout import Tree, distinct_prefixes, layout
from preceptor.engine.tree.logprobs import answer_logprobs
from preceptor.engine.tree.sharing import can_share, shares_prefixes
from preceptor.engine.tree.states import (
    computed_together,
    is_encoder,
    sequence_states,
    states_by_batch,
    states_of_snippets,
)
from preceptor.engine.write.answer_score import AnswerScore
from preceptor.engine.write.candidates import Likeliest, likeliest, score_answers
from preceptor.engine.write.generate import Sampling, generate

__all__ = [
    "MEASUREMENTS",
    "AnswerScore",
    "Cost",
    "DPOSettings",
    "EncodedChoice",
    "EncodedPair",
    "Forward",
    "LabelBalance",
    "Likeliest",
    "Loss",
    "ModelBytes",
    "Numerics",
    "NumericsChoice",
    "SFTExample",
    "SFTSettings",
    "Sampling",
    "Speed",
    "Stage",
    "Tracker",
    "Tracking",
    "TrainSettings",
    "Tree",
    "Unit",
    "Work",
    "answer_logprobs",
    "as_look",
    "balanced_labels",
    "can_share",
    "choose_numerics",
    "computed_together",
    "distinct_prefixes",
    "dpo_loss",
    "dpo_steps",
    "find_tracker",
    "float32_head",
    "flops_of",
    "generate",
    "idle_slots",
    "is_encoder",
    "label_loss",
    "label_set_loss",
    "layout",
    "likeliest",
    "look_work",
    "measure",
    "model_bytes",
    "out_of_memory",
    "release_memory",
    "reward_margins",
    "run_dpo",
    "run_sft",
    "schedule",
    "score_answers",
    "sequence_states",
    "sft_loss",
    "sft_steps",
    "sft_steps_worth",
    "shares_prefixes",
    "split_into_trees",
    "states_by_batch",
    "states_of_snippets",
    "tell_once",
    "timed",
    "times",
    "train",
    "training_work",
    "tree_work",
    "tune",
    "without_case",
    "writing_work",
]
