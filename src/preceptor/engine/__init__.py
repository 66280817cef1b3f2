"""How a model is tuned: prefix trees, losses, the `sft` and `dpo` stages, generation and scoring. Knows token ids."""

from preceptor.engine.cost import Cost, release_memory, timed
from preceptor.engine.estimate.cost_model import CostModel, Speed, time_model
from preceptor.engine.estimate.tree_memory import TreeBytes, head_bytes, tree_bytes, whole_logits_bytes
from preceptor.engine.estimate.workload import (
    Operations,
    Trees,
    Workload,
    Writing,
    dpo_workload,
    scoring_workload,
    sft_workload,
    writing_workload,
)
from preceptor.engine.losses import dpo_loss, reward_margins, sft_loss
from preceptor.engine.memory_errors import out_of_memory, without_case
from preceptor.engine.output_layer import float32_head
from preceptor.engine.precision import choose_numerics
from preceptor.engine.settings import DPOSettings, Numerics, NumericsChoice, SFTSettings, TrainSettings
from preceptor.engine.training.dpo import dpo_steps, run_dpo
from preceptor.engine.training.flops_budget import sft_steps_worth
from preceptor.engine.training.reference import EncodedPair
from preceptor.engine.training.sft import run_sft, sft_steps
from preceptor.engine.training.stage import Forward, Loss, Stage, train
from preceptor.engine.training.trackers import Tracker, Tracking, find_tracker, tell_once
from preceptor.engine.training.tune import tune
from preceptor.engine.tree.batches import schedule
from preceptor.engine.tree.layout import Tree, distinct_prefixes, layout
from preceptor.engine.tree.logprobs import answer_logprobs
from preceptor.engine.tree.sharing import can_share
from preceptor.engine.write.candidates import Likeliest, likeliest, score_answers
from preceptor.engine.write.generate import Sampling, generate

__all__ = [
    "Cost",
    "CostModel",
    "DPOSettings",
    "EncodedPair",
    "Forward",
    "Likeliest",
    "Loss",
    "Numerics",
    "NumericsChoice",
    "Operations",
    "SFTSettings",
    "Sampling",
    "Speed",
    "Stage",
    "Tracker",
    "Tracking",
    "TrainSettings",
    "Tree",
    "TreeBytes",
    "Trees",
    "Workload",
    "Writing",
    "answer_logprobs",
    "can_share",
    "choose_numerics",
    "distinct_prefixes",
    "dpo_loss",
    "dpo_steps",
    "dpo_workload",
    "find_tracker",
    "float32_head",
    "generate",
    "head_bytes",
    "layout",
    "likeliest",
    "out_of_memory",
    "release_memory",
    "reward_margins",
    "run_dpo",
    "run_sft",
    "schedule",
    "score_answers",
    "scoring_workload",
    "sft_loss",
    "sft_steps",
    "sft_steps_worth",
    "sft_workload",
    "tell_once",
    "time_model",
    "timed",
    "train",
    "tree_bytes",
    "tune",
    "whole_logits_bytes",
    "without_case",
    "writing_workload",
]
