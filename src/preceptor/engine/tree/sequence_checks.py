"""Sequences that cannot be trained on or scored: found before the first step, named by their position."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from preceptor.errors import InputError, Problem
from preceptor.models import Encoded, prefix_tokens, soft_tokens


def check_sequences(sequences: Sequence[Encoded], model: nn.Module) -> None:
    """Raises InputError with every sequence that has no prompt, no answer, or more tokens than the context length."""
    config: Any = model.config
    context_length = getattr(config.get_text_config(), "max_position_embeddings", None)
    front = soft_tokens(model) + prefix_tokens(model)
    beside = f" beside {front} vectors in front of them" if front else ""
    problems = []
    for number, sequence in enumerate(sequences, 1):
        where = f"sequence {number} of {len(sequences)}"
        length = len(sequence.prompt) + len(sequence.answer)
        if not sequence.prompt:
            problems.append(Problem(where, "it has no prompt", "Give it at least one token to answer to."))
        if not sequence.answer:
            problems.append(Problem(where, "its answer is empty", "Leave it out: there is nothing to learn from it."))
        if context_length is not None and length + front > context_length:
            what = f"it has {length} tokens{beside}, and the model's context length is {context_length}"
            problems.append(Problem(where, what, f"Set max_length to {context_length - front} or less."))
    if problems:
        raise InputError(problems)
