"""A model and its head as one `AutoModelForSequenceClassification` of transformers, with the logits of the head.

The classes for encoders have a layer and an activation f of their own between the hidden state z and the outputs. They
are given weights with which W z + b comes through: tanh(s z) / s is z for a small s, and f(u) - f(-u) is u for ReLU and
GELU.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from preceptor.models import Chunks, encode

_TANH = {
    "bert": ("bert.pooler.dense", "classifier"),
    **dict.fromkeys(("camembert", "mpnet", "roberta", "xlm-roberta"), ("classifier.dense", "classifier.out_proj")),
}
"""By `model_type`: the layer in front of a tanh, and the one behind it that gives the outputs."""
_TWO_SIDED = {
    "distilbert": ("pre_classifier", "classifier"),
    "electra": ("classifier.dense", "classifier.out_proj"),
}
"""The same around a ReLU or GELU."""
_NAMED = {"deberta-v2": ("pooler.dense", "classifier")}
"""The same around an activation that the configuration names, as `pooler_hidden_act`."""
_SCORE = "score"
"""The one layer of the classes for causal models, without a bias: it reads the last token that is not padding."""
_SMALL = 2.0**-15
"""s: tanh(u) is u up to u^3 / 3. A power of two loses nothing else, and float16 still has this one."""


def why_not(
    config: Any, head: Mapping[str, Tensor], pool: str, tokenizer: Any, chunks: Chunks | None = None
) -> str | None:
    """Why no class of transformers gives the logits of this head on a model of this kind; None where one does.

    pool: which hidden state the head reads, `first` or `last`. chunks: those in which it reads long cases.
    """
    kind, (labels, width) = config.model_type, head["weight"].shape
    empty = _empty(config)
    if empty is None:
        return f"transformers has no class for classification with a model of type {kind}"
    name = type(empty).__name__
    if chunks is not None:
        return f"{name} reads a case in one piece, and this head in chunks of {chunks.length} tokens (`chunk_length`)"
    if kind in _TWO_SIDED and 2 * labels > width:
        return f"{name} can give {width // 2} labels of a head as they are, half its width, and here are {labels}"
    encoder = kind in (*_TANH, *_TWO_SIDED, *_NAMED)
    if not encoder and not isinstance(getattr(empty, _SCORE, None), nn.Linear):
        return f"{name} has layers in front of its outputs that would change them"
    if pool != (reads := "first" if encoder else "last"):
        return f"{name} reads the {reads} token's hidden state, and the pool of this head is {pool}"
    if encoder:
        return None
    if "bias" in head and bool(head["bias"].any()):
        return f"{name} has no bias, and this head, of an earlier version, has one"
    pad = _padding(tokenizer)
    if pad is None or pad == encode(tokenizer, [{"role": "user", "content": "a"}], None).prompt[-1]:
        return f"{name} reads the last token that is not padding, and here prompts end with the padding token"
    return None


def classifier(
    model: Any, head: Mapping[str, Tensor], labels: Sequence[str], tokenizer: Any, *, several: bool = False
) -> Any:
    """Model and head as one, on the CPU; only where `why_not` is None.

    Its backbone is the model's own, whose configuration becomes the classifier's. A tokenizer without a padding token
    gets one. head: `weight` [labels, hidden_size] and perhaps `bias` [labels]. several: whether an answer may have more
    than one label, so that the probability of each is a sigmoid.
    """
    config = model.config
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: i for i, label in enumerate(labels)}
    config.problem_type = "multi_label_classification" if several else "single_label_classification"
    if config.model_type in _NAMED:
        config.pooler_hidden_act = "linear"
    if config.model_type not in (*_TANH, *_TWO_SIDED, *_NAMED):
        config.get_text_config().pad_token_id = _padding(tokenizer)
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(_padding(tokenizer))
    whole, backbone = _empty(config), model.base_model
    if getattr(whole.base_model, "pooler", None) is not None:  # which ours had taken off
        backbone.pooler = whole.base_model.pooler
    setattr(whole, whole.base_model_prefix, backbone)
    for layer in whole.modules():
        if any(weight.is_meta for weight in layer.parameters(recurse=False)):
            layer.to_empty(device="cpu", recurse=False)
    _fill(whole, head["weight"].float(), head.get("bias"))
    return whole.eval()


def _empty(config: Any) -> Any:
    """The class for classification with a model of this kind, its tensors on the device `meta`; None without one."""
    try:
        with torch.device("meta"):
            return AutoModelForSequenceClassification.from_config(config, dtype=torch.float32, trust_remote_code=False)
    except ValueError:
        return None


@torch.no_grad()
def _fill(whole: Any, weight: Tensor, bias: Tensor | None) -> None:
    """Write the layers behind the backbone so that the logits are weight z + bias."""
    kind, (labels, width) = whole.config.model_type, weight.shape
    first = torch.zeros(width, width)
    if kind in _TANH:
        names, first, last = _TANH[kind], _SMALL * torch.eye(width), weight / _SMALL
    elif kind in _TWO_SIDED:
        names, last = _TWO_SIDED[kind], torch.zeros(labels, width)
        first[: 2 * labels] = torch.cat([weight, -weight])
        last[:, : 2 * labels] = torch.cat([torch.eye(labels), -torch.eye(labels)], dim=1)
    elif kind in _NAMED:
        names, first, last = _NAMED[kind], torch.eye(width), weight
    else:
        whole.get_submodule(_SCORE).weight.copy_(weight)
        return
    into, out = (whole.get_submodule(name) for name in names)
    into.weight.copy_(first)
    into.bias.zero_()
    out.weight.copy_(last)
    out.bias.copy_(torch.zeros(labels) if bias is None else bias)


def _padding(tokenizer: Any) -> int | None:
    """The id that fills up the shorter prompts of a batch."""
    found: int | None = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return found
