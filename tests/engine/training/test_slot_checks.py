"""Slots while a stage trains, on tiny random Llama and BERT, float32: gradients, frozen bits, resumption."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from preceptor.engine import (
    DPOSettings,
    EncodedPair,
    Forward,
    Numerics,
    SFTSettings,
    Stage,
    TrainSettings,
    answer_logprobs,
    can_share,
    run_dpo,
    run_sft,
    schedule,
    sequence_states,
    shares_prefixes,
    train,
)
from preceptor.engine.training import slot_checks
from preceptor.engine.training.slot_checks import frozen_digest, idle_slots
from preceptor.engine.tree.states import is_encoder
from preceptor.errors import InputError, PreceptorError
from preceptor.models import (
    HEAD,
    Encoded,
    Head,
    ModelSource,
    Policy,
    Slot,
    SlotSettings,
    blueprint,
    heads_of,
    load_policy,
    save_policy,
    slot_weights,
    start_policy,
)

LORA = SlotSettings(type="LORA", r=4, lora_alpha=8, target_modules="all-linear")
HEAD_OF_3 = SlotSettings(type=HEAD, outputs=3)
IN_FRONT = {
    "prompt tuning": SlotSettings(type="PROMPT_TUNING", num_virtual_tokens=4),
    "p-tuning": SlotSettings(type="P_TUNING", num_virtual_tokens=4, encoder_hidden_size=8),
    "prefix tuning": SlotSettings(type="PREFIX_TUNING", num_virtual_tokens=4),
}
STACKS: dict[str, tuple[Mapping[str, Slot], list[str]]] = {
    "LoRA": ({"one": LORA, "head": HEAD_OF_3}, ["one", "head"]),
    "IA3": (
        {"one": SlotSettings(type="IA3", target_modules="all-linear", feedforward_modules=[]), "head": HEAD_OF_3},
        ["one", "head"],
    ),
    "two LoRA, one frozen": ({"domain": LORA, "task": LORA, "head": HEAD_OF_3}, ["task", "head"]),
    "a prefix": ({"one": IN_FRONT["prefix tuning"], "head": HEAD_OF_3}, ["one", "head"]),
    "soft tokens": ({"one": IN_FRONT["prompt tuning"], "head": HEAD_OF_3}, ["one", "head"]),
    "a head alone": ({"head": HEAD_OF_3}, ["head"]),
    "a head with a query": (
        {"one": LORA, "head": SlotSettings(type=HEAD, outputs=3, pool="attention")},
        ["one", "head"],
    ),
}
CASES = [([5, 6, 7, 10 + n % 3, 20 + n], n % 3) for n in range(12)]
SETTINGS = TrainSettings(learning_rate=1e-2, epochs=1, batch_size=3, warmup_steps=1)
NUMERICS = Numerics(threads=1)
Case = tuple[list[int], int]


@pytest.fixture(params=["llama", "bert"])
def source(request: pytest.FixtureRequest, tiny_source: ModelSource, encoder_source: ModelSource) -> ModelSource:
    return tiny_source if request.param == "llama" else encoder_source


def start(source: ModelSource, slots: Mapping[str, Slot], train: Sequence[str]) -> Policy:
    policy = start_policy(source, None, slots, train, seed=0, dtype=torch.float32)
    for name in {*slots} - {*train}:  # a frozen slot that an earlier stage trained
        with torch.no_grad():
            for path, weight in slot_weights(policy.model, name).items():
                weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(path)))
    return policy


def by_head(forward: Forward, tree: Sequence[Case], batch: Sequence[Case]) -> tuple[Tensor, dict[str, float]]:
    head = heads_of(forward.model)["head"]
    logits = head(forward.states([ids for ids, _ in tree], head))
    right = torch.tensor([label for _, label in tree])
    return nn.functional.cross_entropy(logits, right, reduction="sum") / len(batch), {}


def run(policy: Policy, folder: Path, loss: Any = by_head, **changed: Any) -> Stage:
    batches = [CASES[at : at + 3] for at in range(0, len(CASES), 3)] * 2
    arguments: dict[str, Any] = {"seed": 0, "sequences_of": lambda case: [case[0]], "eval_steps": 2}
    return train(policy, batches, loss, CASES[:3], SETTINGS, NUMERICS, folder, **(arguments | changed))


def weights(policy: Policy) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in policy.model.named_parameters()}


@pytest.mark.parametrize("name", STACKS)
def test_what_is_to_learn_learns_and_the_rest_stays_as_it_was_to_the_bit(
    source: ModelSource, name: str, tmp_path: Path
) -> None:
    """P1-2: frozen is the same bits, whatever order the flags were set in."""
    slots, learns = STACKS[name]
    policy = start(source, slots, learns)
    before, digest = weights(policy), frozen_digest(policy.model)
    stage = run(policy, tmp_path)
    moved = {path for path, weight in weights(policy).items() if not torch.equal(weight, before[path])}
    assert moved == {path for slot in learns for path in slot_weights(policy.model, slot)}
    assert frozen_digest(policy.model) == digest
    assert stage.learning == {
        slot: sum(w.numel() for w in slot_weights(policy.model, slot).values()) for slot in learns
    }
    assert stage.cost.flops > 0


@pytest.mark.parametrize("name", STACKS)
def test_cut_off_it_goes_on_to_the_same_weights(
    source: ModelSource, name: str, tmp_path: Path, cut_after: Any, killed: type[Exception]
) -> None:
    whole = start(source, *STACKS[name])
    history = run(whole, tmp_path / "whole").history
    with pytest.raises(killed):
        run(start(source, *STACKS[name]), tmp_path / "cut", advance=cut_after(5))
    resumed = start(source, *STACKS[name])
    stage = run(resumed, tmp_path / "cut")
    assert all(torch.equal(weight, weights(whole)[path]) for path, weight in weights(resumed).items())
    assert [row.get("eval_loss") for row in stage.history] == [row.get("eval_loss") for row in history]


def test_a_slot_that_takes_no_part_ends_the_run(tiny_source: ModelSource, tmp_path: Path) -> None:
    """P1-1: each slot that learns has a gradient other than 0, or there is no number."""

    def past_the_adapter(forward: Forward, tree: Sequence[Case], batch: Any) -> tuple[Tensor, dict[str, float]]:
        head = heads_of(forward.model)["head"]
        return head(forward.states([ids for ids, _ in tree], head).detach()).square().mean(), {}

    policy = start(tiny_source, *STACKS["LoRA"])
    with pytest.raises(
        InputError, match=r"slot one: it learns nothing: .* by optimizer step 4"
    ):  # the first has rate 0
        run(policy, tmp_path, past_the_adapter)
    assert not list(tmp_path.glob("checkpoint-4"))


def test_a_head_must_have_a_gradient_at_the_first_step(tiny_source: ModelSource, tmp_path: Path) -> None:
    def past_the_head(forward: Forward, tree: Sequence[Case], batch: Any) -> tuple[Tensor, dict[str, float]]:
        head = heads_of(forward.model)["head"]
        return forward.states([ids for ids, _ in tree], head).square().mean(), {}

    with pytest.raises(InputError, match=r"slot head: .* by optimizer step 2"):
        run(start(tiny_source, *STACKS["LoRA"]), tmp_path, past_the_head)


@pytest.mark.parametrize("name", [*STACKS, *IN_FRONT])
def test_a_slot_that_takes_part_is_not_called_idle(source: ModelSource, name: str) -> None:
    slots = STACKS[name][0] if name in STACKS else {"soft": IN_FRONT[name]}
    adapters = {one: slot for one, slot in slots.items() if slot.type != HEAD}
    for by_head in {True, is_encoder(load_policy(source, None, dtype=torch.float32).model)}:
        assert idle_slots(blueprint(source, adapters, torch.float32), adapters, by_head=by_head) == []


def test_an_adapter_behind_the_state_that_a_head_reads_is_idle(tiny_source: ModelSource) -> None:
    slots = {"behind": SlotSettings(type="LORA", target_modules=["lm_head"]), "below": LORA}
    for names, by_head, idle in ((["behind"], True, ["behind"]), (["behind"], False, []), (slots, True, ["behind"])):
        model = blueprint(tiny_source, {name: slots[name] for name in names}, torch.float32)
        assert idle_slots(model, names, by_head=by_head) == idle


@pytest.mark.parametrize("counted", [False, True])
def test_a_frozen_weight_that_changes_is_noticed(
    tiny_source: ModelSource, tmp_path: Path, counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if counted:
        monkeypatch.setattr(slot_checks, "_DIGESTED_BYTES", 0)

    def wicked(forward: Forward, tree: Sequence[Case], batch: Any) -> tuple[Tensor, dict[str, float]]:
        with torch.no_grad():
            next(iter(forward.model.parameters())).add_(1e-6)
        return by_head(forward, tree, batch)

    with pytest.raises(PreceptorError, match="a weight that is frozen changed"):
        run(start(tiny_source, *STACKS["LoRA"]), tmp_path, wicked)
    run(start(tiny_source, *STACKS["LoRA"]), tmp_path / "sound")


SEQUENCES = [Encoded([5, 6, 7, 8], [9, 10]), Encoded([5, 6, 7, 8], [11]), Encoded([5, 6], [12, 13])]


@pytest.mark.parametrize("name", ["LoRA", "IA3", "two LoRA, one frozen"])
def test_a_tree_gives_the_policys_own_numbers(
    tiny_source: ModelSource, name: str, sharpen: Callable[[nn.Module], Any]
) -> None:
    slots, learns = STACKS[name]
    policy = start(tiny_source, slots, learns)
    sharpen(policy.model)
    assert can_share(policy.model)
    with torch.no_grad():
        tree, alone = (answer_logprobs(policy.model, SEQUENCES, share=share) for share in (True, False))
        head, prompts = Head(48, 2, "last"), [one.prompt for one in SEQUENCES]
        states = [sequence_states(policy.model, prompts, head, share=s) for s in (True, False)]
    torch.testing.assert_close(torch.cat(tree), torch.cat(alone), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(*states, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("slots", [{"one": LORA}, *({"soft": slot} for slot in IN_FRONT.values())])
def test_every_kind_of_adapter_is_part_of_a_tree_but_on_an_encoder(
    source: ModelSource, slots: Mapping[str, Slot]
) -> None:
    policy = start(source, slots, list(slots))
    assert shares_prefixes(policy) is not is_encoder(policy.model)


PAIRS = [
    EncodedPair([*range(100, 112), 200 + n], [10 + n % 2] * (1 + n % 2) + [2], [11 - n % 2] * (1 + n % 3) + [2])
    for n in range(6)
]


@pytest.mark.parametrize("name", IN_FRONT)
def test_dpos_reference_is_the_policy_to_the_bit(tiny_source: ModelSource, name: str, tmp_path: Path) -> None:
    """Float32, on a CPU in one process."""
    policy = start(tiny_source, {"soft": IN_FRONT[name]}, ["soft"])
    settings = DPOSettings(epochs=1, batch_size=3, learning_rate=1e-2, warmup_steps=0, looks_per_epoch=1)
    before = weights(policy)
    stage = run_dpo(policy, PAIRS, [], settings, NUMERICS, tmp_path, seed=0)
    assert stage.first_margin == 0.0
    margins = [row["rewards/margins"] for row in stage.history if "rewards/margins" in row]
    assert margins[0] == 0.0 != margins[-1]
    moved = {path for path, weight in weights(policy).items() if not torch.equal(weight, before[path])}
    assert moved == {*slot_weights(policy.model, "soft")}


@pytest.mark.parametrize("name", IN_FRONT)
def test_sft_takes_the_steps_that_pefts_own_forward_takes(tiny_source: ModelSource, name: str, tmp_path: Path) -> None:
    """Float32: the loss of every step, which those before it led to, with one tree in place of padded rows."""
    examples = [Encoded(pair.prompt, pair.chosen) for pair in PAIRS]
    ours, theirs = (start(tiny_source, {"soft": IN_FRONT[name]}, ["soft"]) for _ in range(2))
    settings = SFTSettings(epochs=2, batch_size=3, learning_rate=1e-2, warmup_steps=0, looks_per_epoch=1, patience=9)
    stage = run_sft(ours, examples, examples[:1], settings, NUMERICS, tmp_path, seed=0)
    learning = [weight for weight in theirs.model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2, weight_decay=0.0)
    order, losses = schedule(len(examples), 3, 2, 0), []
    for number, step in enumerate(order):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - number / len(order))
        some = [examples[i] for i in step]
        ids, labels = (
            nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=fill)
            for rows, fill in (
                ([one.prompt + one.answer for one in some], 0),
                ([[-100] * len(one.prompt) + one.answer for one in some], -100),
            )
        )
        mask = torch.tensor([[1] * len(row) + [0] * (ids.shape[1] - len(row)) for row in ids.tolist()])
        loss = theirs.model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        nn.utils.clip_grad_norm_(learning, settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert [row["loss"] for row in stage.history if "loss" in row] == pytest.approx(losses, abs=1e-5)
    assert abs(losses[-1] - losses[0]) > 1e-3, "nothing was learned"


def test_an_encoders_state_is_its_first_tokens(encoder_source: ModelSource, tmp_path: Path) -> None:
    plain = start(encoder_source, {"head": HEAD_OF_3}, ["head"])
    soft = start(encoder_source, {"soft": IN_FRONT["prompt tuning"]}, ["soft"])
    ids = torch.tensor([[2, 9, 10, 3]])
    with torch.no_grad():
        (state,) = sequence_states(plain.model, [ids[0].tolist()], Head(48, 2, "first"), share=False)
        torch.testing.assert_close(state, plain.model(input_ids=ids).last_hidden_state[0, 0])
        assert plain.model.pooler is None
        (state,) = sequence_states(soft.model, [ids[0].tolist()], Head(48, 2, "first"), share=False)
        torch.testing.assert_close(state, soft.model(input_ids=ids).last_hidden_state[0, 4])


def test_a_checkpoint_holds_the_weights_that_learn_and_nothing_else(tiny_source: ModelSource, tmp_path: Path) -> None:
    slots, learns = STACKS["two LoRA, one frozen"]
    policy = start(tiny_source, slots, learns)
    run(policy, tmp_path)
    from safetensors.torch import load_file

    found = load_file(sorted(tmp_path.glob("checkpoint-*"))[-1] / "weights.safetensors")
    assert set(found) == {path for slot in learns for path in slot_weights(policy.model, slot)}
    save_policy(policy, tmp_path / "stage")
    assert sorted(one.name for one in (tmp_path / "stage" / "slots").iterdir()) == ["domain", "head", "task"]
