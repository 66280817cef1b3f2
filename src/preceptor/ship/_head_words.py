"""How the head of an export is used, in words for whoever reads its README."""

import json
from pathlib import Path

from preceptor.models import SNIPPET_ATTENTION, SNIPPET_POOLS, soft_tokens_of, writes
from preceptor.ship._head import HEAD_FILE, LABELS_FILE, STATES, head_chunks, head_pool
from preceptor.ship._slots import adapters_of
from preceptor.study import ArmOfRun


def how_to_use(arm: ArmOfRun, folder: Path) -> list[str]:
    """Lines on the head of the export in `folder` for a reader."""
    prompt = "" if writes(arm.source) else " The text is the user's turn alone, without the instruction."
    if not (folder / HEAD_FILE).is_file():
        return [
            "`AutoModelForSequenceClassification` loads it: `id2label` has the labels in the order of its logits. "
            f"{_rule(arm, 'logit')}{prompt}",
            "A layer that its class has in front of the outputs hands them through and does nothing else. To train the "
            "model further, take the adapter.",
        ]
    soft = sum(soft_tokens_of(slot.peft_config("FEATURE_EXTRACTION")) for slot in adapters_of(arm).values())
    layer = f"`{HEAD_FILE}` is a linear layer (`weight` [labels, hidden size], perhaps `bias`)"
    return [
        f"{layer} on {_state(arm, soft)}{'' if arm.made_field else prompt}",
        *_what_it_knows(arm),
        *_how_snippets_are_made(arm, folder),
        *_how_chunks_are_made(arm),
        f"Its outputs are in the order of `labels` in `{LABELS_FILE}`: {', '.join(arm.task.answer.labels)}. "
        f"{_rule(arm, 'output')}",
    ]


def _state(arm: ArmOfRun, soft: int) -> str:
    """What the layer reads; soft: how many vectors stand in front of the text."""
    pool, text = head_pool(arm), "prompt" if writes(arm.source) else "text"
    if pool in SNIPPET_POOLS:
        weighed = " weighed by `softmax(tanh(h @ inner.T) @ query)` over them" if pool == SNIPPET_ATTENTION else ""
        return (
            "the mean of the h of a case's snippets" + weighed + ": h is the mean over all tokens of a snippet of "
            f"`model(**snippet, output_hidden_states=True).hidden_states[-1][0, {soft}:]`."
        )
    which = {"first": soft, "last": -1}.get(pool, f"{soft}:")
    state = f"{text}'s {STATES[pool]}" if pool in ("first", "last") else f"{text}: the {STATES[pool]}"
    weighed = " The weights are `softmax(states @ query / hidden_size**0.5)`." if pool == "attention" else ""
    return (
        f"the last hidden state of the {state}: "
        f"`model(**prompt, output_hidden_states=True).hidden_states[-1][0, {which}]`.{weighed}"
    )


def _how_snippets_are_made(arm: ArmOfRun, folder: Path) -> list[str]:
    if arm.made_field is None:
        return []
    made = json.loads((folder / LABELS_FILE).read_text(encoding="utf-8"))["made"]
    return [
        f"Snippets are given to the tokenizer each by itself, and are made of the field `{made['of']}`, with `terms`, "
        f"`words` and `most` of `made` in `{LABELS_FILE}`: {made['how']}"
    ]


def _what_it_knows(arm: ArmOfRun) -> list[str]:
    """What a net of codes does with others than its own."""
    known = arm.study.knows_codes(arm.study.arm(arm.arm).model)
    return ["Codes that no training case had are passed over."] if known else []


def _how_chunks_are_made(arm: ArmOfRun) -> list[str]:
    chunks = head_chunks(arm)
    if chunks is None:
        return []
    room, shared = chunks.length - 2, chunks.overlap
    together = {
        "first": "The state is the mean of those of the chunks' first tokens",
        "last": "The state is the mean of those of the chunks' last tokens",
        "mean": "The mean is over the tokens of all chunks",
        "attention": "The weights are over the tokens of all chunks",
    }[head_pool(arm)]
    return [
        f"A text of more than {chunks.length} tokens (`chunk_length` in `{LABELS_FILE}`) is read in chunks, each by "
        f"itself: the n tokens between its first and its last are parted into k = ceil((n - {shared}) / "
        f"{room - shared}) pieces, of which neighbours share {shared} tokens (`chunk_overlap`). Their lengths add up "
        f"to n + (k - 1) * {shared} and differ by 1 at most, longer ones in front; around each stand the text's first "
        f"and its last token. {together}.",
    ]


def _rule(arm: ArmOfRun, output: str) -> str:
    """How the outputs become the answer, for a reader; output: what one is called."""
    if arm.threshold is None:
        return f"The softmax of all is how probable each label is; the answer is the label of the highest {output}."
    empty = arm.task.answer.empty
    none = "the most probable one" if empty is None else f"`{empty}`"
    return (
        f"The sigmoid of each {output} is how probable its label is. The answer is every label whose probability is "
        f"at least {arm.threshold:g}, the threshold that the study chose on validation cases, and where there is none, "
        f"{none}."
    )
