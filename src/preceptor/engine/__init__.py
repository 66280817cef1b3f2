"""How a model is tuned: prefix trees, losses, the `sft` and `dpo` stages, generation and scoring. Knows token ids."""

from preceptor.engine._bytes import TreeBytes, head_bytes, tree_bytes, whole_logits_bytes
from preceptor.engine._cost import Cost, let_go, timed
from preceptor.engine._dpo import dpo_steps, run_dpo
from preceptor.engine._float32_head import float32_head
from preceptor.engine._generate import Sampling, generate
from preceptor.engine._logprobs import answer_logprobs
from preceptor.engine._losses import dpo_loss, reward_margins, sft_loss
from preceptor.engine._memory import out_of_memory
from preceptor.engine._pace import Pace, Speed, time_model
from preceptor.engine._precision import choose_numerics
from preceptor.engine._reference import EncodedPair
from preceptor.engine._score import Likeliest, likeliest, score_answers
from preceptor.engine._settings import DPOSettings, Numerics, NumericsChoice, SFTSettings
from preceptor.engine._sft import run_sft, sft_steps, sft_steps_worth
from preceptor.engine._sharing import can_share
from preceptor.engine._tracking import Tracker, Tracking, find_tracker, tell_once
from preceptor.engine._trainer import Stage
from preceptor.engine._tree import Tree, distinct_prefixes, layout
from preceptor.engine._tune import tune
from preceptor.engine._workload import (
    Operations,
    Trees,
    Workload,
    Writing,
    dpo_workload,
    scoring_workload,
    sft_workload,
    writing_workload,
)

__all__ = [
    "Cost",
    "DPOSettings",
    "EncodedPair",
    "Likeliest",
    "Numerics",
    "NumericsChoice",
    "Operations",
    "Pace",
    "SFTSettings",
    "Sampling",
    "Speed",
    "Stage",
    "Tracker",
    "Tracking",
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
    "let_go",
    "likeliest",
    "out_of_memory",
    "reward_margins",
    "run_dpo",
    "run_sft",
    "score_answers",
    "scoring_workload",
    "sft_loss",
    "sft_steps",
    "sft_steps_worth",
    "sft_workload",
    "tell_once",
    "time_model",
    "timed",
    "tree_bytes",
    "tune",
    "whole_logits_bytes",
    "writing_workload",
]
