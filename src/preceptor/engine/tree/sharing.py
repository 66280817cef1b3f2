"""Which models compute a prefix tree as their own code computes the same sequences one by one."""

from copy import deepcopy
from typing import Any

import torch
from torch import nn

from preceptor.engine.output_layer import float32_head
from preceptor.engine.parallel.shard import in_forward
from preceptor.engine.tree.attention import TreeAttention
from preceptor.engine.tree.head import logits_of
from preceptor.engine.tree.logprobs import answer_logprobs, causal_and_head, hidden_states, logit_softcap
from preceptor.engine.tree.vectors import layout_for
from preceptor.models import Encoded, Policy, keep_layers, layer_period, with_same_front

_REFUSALS = (AttributeError, TypeError, ValueError, RuntimeError, IndexError, KeyError)
"""How code that was never meant for trees refuses them."""
_PROBE_TOKENS = list(range(1, 9))
_PROBE = [Encoded(_PROBE_TOKENS, [9, 10]), Encoded(_PROBE_TOKENS, [11]), Encoded(_PROBE_TOKENS[:4], [12, 13])]
_TWIN_VOCABULARY = 16


def shares_prefixes(policy: Policy) -> bool:
    """`can_share` of the policy's model, cached on the policy."""
    if policy.shares_prefixes is None:
        policy.shares_prefixes = can_share(policy.model)
    return policy.shares_prefixes


@torch.no_grad()
def can_share(model: nn.Module) -> bool:
    """Whether the model computes a small tree as its own code computes the same sequences one by one.

    False for models with state, with mask code or an output layer of their own, and for kinds of attention whose
    limits do not reach tree attention; those run one sequence at a time. In 16 bits rounding moves an unlikely token by
    nats, on either side, so a float32 model of the same configuration is compared in place of this one. What its slot
    puts in front of sequences is compared too.
    """
    training = model.training
    model.eval()
    try:
        if not (_windows_reach_attention(model) and _logits_are_the_output_layers(model)):
            return False
        if next(model.parameters()).dtype == torch.float32:
            return _tree_agrees(model)
        answer_logprobs(model, _PROBE)  # whether its code takes a tree at all
        return _tree_agrees(_float32_twin(model))
    except torch.OutOfMemoryError:
        raise
    except _REFUSALS:
        return False
    finally:
        model.train(training)


def needs_dense_mask(model: nn.Module) -> bool:
    """Whether attention on the CPU holds a cell for every two tokens of a tree: with windows and bent scores."""
    whole: Any = model.config
    config = whole.get_text_config()
    kinds = getattr(config, "layer_types", None) or ()
    return "sliding_attention" in kinds or _has_window(model) or bool(getattr(config, "attn_logit_softcapping", None))


def _tree_agrees(model: nn.Module) -> bool:
    tree, plain = (answer_logprobs(model, _PROBE, share=share) for share in (True, False))
    return all(torch.allclose(a, b, atol=1e-3, rtol=1e-5) for a, b in zip(tree, plain, strict=True))


def _logits_are_the_output_layers(model: nn.Module) -> bool:
    """Whether nothing scales or shifts the logits behind the output layer (Granite's logits_scaling, Cohere's
    logit_scale). Both sides start from the same hidden states, so rounding cannot hide it in any number format.
    """
    causal, head = causal_and_head(model)
    ids = torch.tensor([_PROBE_TOKENS], device=next(model.parameters()).device)
    with float32_head(model):
        hidden = causal.base_model(input_ids=ids, use_cache=False).last_hidden_state
        theirs = causal(input_ids=ids, use_cache=False).logits.float()
        return torch.allclose(logits_of(hidden[0], head, logit_softcap(causal)), theirs[0], atol=1e-3, rtol=1e-4)


def _float32_twin(model: nn.Module) -> nn.Module:
    """A random float32 model of its class and configuration, with a small vocabulary and one layer of each kind, behind
    as many vectors in front.
    """
    causal, _ = causal_and_head(model)
    config = deepcopy(causal.config)
    text = config.get_text_config()
    keep_layers(config, layer_period(config))
    text.vocab_size = _TWIN_VOCABULARY
    for token in ("pad_token_id", "bos_token_id", "eos_token_id"):
        setattr(text, token, None)
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(0)
        twin: nn.Module = with_same_front(type(causal)(config).float().eval(), model)
        for weight in twin.parameters():
            if weight.dim() > 1:  # contrast enough that a wrong mask or position shows
                nn.init.normal_(weight, std=weight.shape[-1] ** -0.5)
    return twin


def _has_window(model: nn.Module) -> bool:
    """Whether a model that does not list its layers' kinds has a window in all of them."""
    whole: Any = model.config
    config = whole.get_text_config()
    return bool(getattr(config, "sliding_window", None)) and getattr(config, "use_sliding_window", True)


def _windows_reach_attention(model: nn.Module) -> bool:
    """Whether every layer with a window by configuration tells tree attention so: a short probe would not show it."""
    causal, _ = causal_and_head(model)
    config = causal.config.get_text_config()
    kinds = list(getattr(config, "layer_types", None) or ())
    if set(kinds) - {"full_attention", "sliding_attention"} or getattr(config, "attention_chunk_size", None):
        return False
    rope: Any = getattr(config, "rope_parameters", None) or {}
    if "longrope" in str(rope) or "dynamic" in str(rope):  # frequencies that depend on the longest sequence at hand
        return False
    device = next(model.parameters()).device
    attention = TreeAttention(layout_for(model, [[1, 2, 3]]), device)
    in_forward(model, lambda: hidden_states(model, attention))
    if not kinds:
        kinds = ["sliding_attention" if _has_window(model) else "full_attention"] * len(attention.windows)
    return len(attention.windows) == len(kinds) and all(
        (window is not None) == (kind == "sliding_attention")
        for window, kind in zip(attention.windows, kinds, strict=True)
    )
