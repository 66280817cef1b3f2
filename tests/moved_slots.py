"""A policy as training would have left it: a LoRA adapter and a head, neither where it began."""

import torch

from preceptor.models import HEAD, ModelSource, Policy, Slot, SlotSettings, slot_weights, start_policy

LORA = SlotSettings(type="LORA", r=4, lora_alpha=8, target_modules="all-linear")


def start(
    source: ModelSource, pool: str, adapter: Slot = LORA, dtype: torch.dtype = torch.float32, **chunks: int
) -> Policy:
    """A policy whose slots are away from where they began, as training would have moved them."""
    slots = {"one": adapter, "head": SlotSettings(type=HEAD, outputs=3, pool=pool, **chunks)}
    policy = start_policy(source, None, slots, list(slots), seed=0, dtype=dtype)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name in slots:
            for weight in slot_weights(policy.model, name).values():
                weight += 0.1 * torch.randn(weight.shape, generator=generator)
    policy.model.eval()
    return policy
