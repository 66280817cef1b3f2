"""A patient's profile learns to stand for drugs: traps 5 and 7 of the paper's public code, and a study that does it."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

import small_nets
import test_resume
from command_line import CommandLine
from preceptor.engine import Cost, Forward, Numerics
from preceptor.models import (
    BACKBONE,
    HEAD,
    CodeSetsSettings,
    ModelSource,
    Policy,
    SlotSettings,
    encode,
    heads_of,
    make_code_sets,
    start_policy,
)
from preceptor.progress import Advance, quiet
from preceptor.study import load_study, machine, plan_study, read_planned
from preceptor.study.stages._alignment import Align, Alignment, Sets, aligning, alignment_loss, contrastive_losses
from preceptor.study.stages.classify import Labelled, Settings, Taught, how_trained, train_classifier
from preceptor.tasks import make_cases, task_file, write_visits

FAST: dict[str, Any] = {
    "kind": "classify", "model": "small", "epochs": 6, "learning_rate": 0.01, "batch_size": 5, "patience": 9,
}  # fmt: skip
STAGES: dict[str, Any] = {"plain": FAST, "aligned": FAST | {"align": {"weight": 1.0}}}
STUDENTS = [{"name": name, "stages": [name], "answer": "head", "view": "profile"} for name in STAGES]
VIEWS = {
    "codes": {"template": "{visits}", "cut": "visits"},
    "profile": {"template": "profile: sex {sex}; age {age}\n{visits}", "cut": "visits"},
}
DATA = {"cases": 40, "seed": 5, "subgroups": ["sex", "age"]}
"""26 training cases: the last batch of five has one."""
STUDY: dict[str, Any] = {
    "name": "aligned",
    "arms": STUDENTS,
    "primary": [["aligned", "plain"]],
    "models": {"small": {"family": "codes", "width": 16}},
    "stages": STAGES,
    "tasks": [{"task": "medication", "data": DATA, "views": VIEWS}],
    "max_length": 1024,
    "numerics": {"dtype": "float32", "threads": 1},
}
DRUGS = ["aspirin", "folic acid", "metformin"]
CASE = write_visits([{"profile": ["sex woman", "age 18"]}, {"D": ["d1", "d2"], "M": DRUGS}, {"D": ["d2"], "P": ["p1"]}])


write = partial(small_nets.write, STUDY)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    return make_code_sets(
        "small", CodeSetsSettings(family="codes", width=16), [CASE], tmp_path_factory.mktemp("made") / "small"
    )


@pytest.fixture
def policy(source: ModelSource) -> Policy:
    return new(source)


def new(source: ModelSource) -> Policy:
    slots = {HEAD: SlotSettings(type=HEAD, outputs=3)}
    return start_policy(source, None, slots, [BACKBONE, HEAD], seed=0, dtype=torch.float32)


def ids(policy: Policy, text: str) -> list[int]:
    return encode(policy.tokenizer, [{"role": "user", "content": text}], None).prompt


def sets_of(policy: Policy, drugs: list[str], profile: list[str]) -> Sets:
    return ids(policy, write_visits([{"M": drugs}])), ids(policy, write_visits([{"profile": profile}]))


def published(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """One direction of the loss as the public code has it: the right one is missing below the line."""
    likely = (functional.normalize(one) @ functional.normalize(other).T / temperature).exp()
    return -(likely.diag() / (likely.sum(dim=0) - likely.diag())).log()


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor, float]:
    """Vectors of drugs and of profiles, which of the cases are alike, and a temperature."""
    count, seed = draw(st.integers(1, 6)), draw(st.integers(0, 99))
    drawn = torch.Generator().manual_seed(seed)
    one, other = (torch.randn(count, 4, generator=drawn) for _ in range(2))
    groups = torch.tensor(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    return one, other, groups[:, None] == groups, draw(st.sampled_from([0.1, 1.0, 5.0]))


@given(batches())
def test_trap_7_it_is_a_cross_entropy_and_never_below_0(batch: tuple[Tensor, Tensor, Tensor, float]) -> None:
    one, other, like, temperature = batch
    losses = contrastive_losses(one.requires_grad_(), other, like, temperature)
    losses.sum().backward()
    assert (losses >= 0).all()
    assert one.grad is not None
    assert one.grad.isfinite().all()
    similar = torch.cosine_similarity(one[:, None], other[None], dim=2) / temperature
    for i, loss in enumerate(losses):
        there = [j for j in range(len(one)) if j == i or not like[i, j]]
        right = torch.tensor(there.index(i))
        both = (functional.cross_entropy(row[there], right) for row in (similar[i], similar[:, i]))
        torch.testing.assert_close(loss, torch.stack([*both]).sum(), atol=1e-5, rtol=1e-4)


def test_trap_7_without_the_right_one_below_the_line_it_falls_below_0_and_a_case_alone_has_no_loss() -> None:
    one, other = torch.eye(2), torch.eye(2)
    assert published(one, other, 0.5).tolist() == [-2, -2]
    assert published(one[:1], other[:1], 0.5).isinf().all()
    ours = contrastive_losses(one, other, torch.eye(2, dtype=torch.bool), 0.5)
    assert ours.tolist() == pytest.approx([2 * 0.126928] * 2), "2 ln(1 + e^-2)"
    alone = one[:1].clone().requires_grad_()
    loss = contrastive_losses(alone, other[:1], torch.ones(1, 1, dtype=torch.bool), 0.5)
    loss.sum().backward()
    assert loss.tolist() == [0]
    assert alone.grad is not None
    assert not alone.grad.any()


def test_trap_7_patients_with_the_same_drugs_or_the_same_profile_are_not_told_from_each_other(policy: Policy) -> None:
    """One case, and others that differ from it in nothing, in their drugs, in their profile, and in both."""
    named = [("aspirin", "sex woman")] * 2 + [
        ("metformin", "sex woman"),
        ("aspirin", "age 18"),
        ("metformin", "age 18"),
    ]
    sets = {i: sets_of(policy, [drug], [profile]) for i, (drug, profile) in enumerate(named)}

    def loss(batch: list[int]) -> float:
        alignment = Alignment(sets, Align())
        with aligning(policy.model, alignment, 0), torch.no_grad():
            return len(batch) * float(alignment_loss(Forward(policy.model, False, Cost()), alignment, batch))

    assert [loss([0, other]) for other in (1, 2, 3)] == [0, 0, 0]
    assert loss([0, 4]) > 0.1
    assert loss([0, 1, 4]) > loss([0, 4]), "each of the two is told from the third"
    assert [loss(batch) for batch in ([0], [7], [0, 7])] == [0, 0, 0], "alone, left out, and beside one left out"


def test_trap_5_a_set_of_drugs_has_the_vector_that_it_has_among_the_visits(policy: Policy) -> None:
    """In the public code the place of a drug among the labels is looked up in the table of all codes."""
    model: Any = policy.model
    (code,) = ids(policy, write_visits([{"M": DRUGS[:1]}]))[1:]
    case = torch.tensor([ids(policy, CASE)])
    with torch.no_grad():
        sets = model._sets(case, None)
        (there,) = sets.states[0, (case[0] == code).nonzero()[:1, 0]]
        alone = [ids(policy, write_visits([{"M": drugs}])) for drugs in (DRUGS, DRUGS[::-1], DRUGS[:1])]
        found = Forward(model, False, Cost()).set_vectors(alone)
        places = torch.tensor([[alone[0][0], *range(len(DRUGS))]])
        wrong = model.set_vectors(places, torch.ones_like(places))
    torch.testing.assert_close(found[0], there, atol=1e-6, rtol=0)
    torch.testing.assert_close(found[1], there, atol=1e-6, rtol=0)
    assert (found[2] - there).abs().max() > 1e-3
    assert (wrong[0] - there).abs().max() > 1e-3
    named = policy.tokenizer.convert_ids_to_tokens(alone[0])
    assert named == ["M: ", *DRUGS]


def test_trap_6_every_weight_has_a_gradient_at_the_first_step(policy: Policy) -> None:
    other = write_visits([{"profile": ["age 18"]}, {"D": ["d1"], "M": ["metformin"]}, {"D": ["d1"]}])
    model: Any = policy.model
    (head,) = heads_of(model).values()
    pairs = [(["aspirin"], ["sex woman"]), (["metformin", "folic acid"], ["age 18"])]
    alignment = Alignment({i: sets_of(policy, *pair) for i, pair in enumerate(pairs)}, Align())
    with aligning(model, alignment, 0):
        forward = Forward(model, False, Cost())
        labels = head(forward.states([ids(policy, CASE), ids(policy, other)], head)).square().sum()
        (labels + alignment_loss(forward, alignment, [0, 1])).backward()
        dead = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]
        assert "heads._aligned_drugs.weight" in dict(model.named_parameters())
    # A key's bias adds the same to every score of a row, which softmax does not see.
    assert [name for name in dead if not name.endswith("key.bias")] == []
    assert heads_of(model).keys() == {HEAD}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("aligned")
    small_nets.run(write(folder, tiny_model_folder), folder / "run")
    return folder / "run"


def stage_of(run: Path, arm: str) -> Path:
    cells = {one["arm"]: one for one in json.loads((run / "results.json").read_text())["cells"]}
    folder: Path = run / cells[arm]["policy"]
    return folder


def ledger(run: Path, arm: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stage_of(run, arm) / "ledger.json").read_text())
    return found


def test_profiles_come_near_drugs_and_weights_are_chosen_by_labels_alone(done: Path) -> None:
    rows = ledger(done, "aligned")["history"]
    apart = [row["align"] for row in rows if "align" in row]
    of_an_epoch = [sum(apart[start : start + 6]) for start in range(0, len(apart), 6)]
    assert len(of_an_epoch) == 6
    assert of_an_epoch[-1] < 0.9 * of_an_epoch[0]
    assert apart[5::6] == [0] * 6, "the last batch of an epoch has one case"
    assert not any("eval_align" in row for row in rows)
    assert not any("align" in row for row in ledger(done, "plain")["history"])


def test_what_is_saved_is_that_of_a_net_that_aligns_nothing(done: Path) -> None:
    tensors = {}
    for arm in STAGES:
        files = sorted(stage_of(done, arm).rglob("*.safetensors"))
        tensors[arm] = {f"{file.name} {name}": one for file in files for name, one in load_file(file).items()}
    assert tensors["plain"].keys() == tensors["aligned"].keys()
    assert not torch.equal(*(tensors[arm]["model.safetensors codes.weight"] for arm in STAGES))


def test_a_drug_that_no_earlier_visit_has_is_left_out_and_cases_are_counted(done: Path) -> None:
    assert 20 < ledger(done, "aligned")["aligned_cases"] <= 26
    assert "aligned_cases" not in ledger(done, "plain")


def test_what_it_costs_is_counted_and_planned(done: Path) -> None:
    study = done.parent / "study.yaml"
    plan = plan_study(read_planned(*load_study(str(study))), machine(None, None, None), timed=False)
    training = [need for need in plan.needs if need.what == "Classifier on profile"]
    planned = dict(zip(STAGES, training, strict=True))
    own = {arm: ledger(done, arm)["cost"] for arm in STAGES}

    def more(name: str) -> float:
        return float(own["aligned"][name] - own["plain"][name])

    assert more("tokens_seen") > 1000
    assert planned["aligned"].seen - planned["plain"].seen == pytest.approx(more("tokens_seen"), rel=0.05)
    assert planned["aligned"].tokens - planned["plain"].tokens == pytest.approx(more("tokens_computed"), rel=0.15)
    assert planned["aligned"].flops / planned["plain"].flops == pytest.approx(
        own["aligned"]["flops"] / own["plain"]["flops"], rel=0.1
    )


def trained(
    policy: Policy, folder: Path, steps: int = 1, advance: Advance = quiet, tokens_per_tree: int = 1536
) -> list[dict[str, float]]:
    """The history of `policy` trained in place on batches of the same eight cases, evaluated behind each second."""
    sets = [sets_of(policy, DRUGS[i % 3 : i % 3 + 1], [("sex woman", "age 18")[i % 2]]) for i in range(8)]
    alignment = Alignment(dict(enumerate(sets)), Align(weight=1))
    cases = [Taught(ids(policy, CASE), [1, 0, i % 2], i) for i in range(8)]
    validation = [Labelled(one.prompt, one.label) for one in cases]
    how = Settings(epochs=max(1, steps // 2), batch_size=8, warmup_steps=0, learning_rate=0.01, patience=9)
    numerics = Numerics(threads=1, tokens_per_tree=tokens_per_tree)
    options: dict[str, Any] = {"seed": 0, "goes_on": False, "tracking": None, "advance": advance}
    batches = [cases] * steps
    return train_classifier(
        policy, batches, validation, HEAD, how, numerics, folder, **options, alignment=alignment
    ).history


def test_a_batch_that_is_computed_in_parts_is_aligned_once_and_as_a_whole(source: ModelSource, tmp_path: Path) -> None:
    whole, parted = (trained(new(source), tmp_path / str(n), tokens_per_tree=n)[0] for n in (1536, 64))
    assert whole["align"] > 0.1
    assert [parted[name] for name in ("align", "loss")] == pytest.approx([whole["align"], whole["loss"]], abs=1e-5)


def test_stopped_while_it_aligns_it_goes_on_from_a_checkpoint_to_the_same_bits(
    source: ModelSource, tmp_path: Path
) -> None:
    """The two layers that it learns by stand in the checkpoint, and are no part of the net afterwards."""
    done = 0

    def stop(count: int) -> None:
        nonlocal done
        done += count
        if done == 3:
            raise KeyboardInterrupt

    alone, stopped, again = new(source), new(source), new(source)
    history = trained(alone, tmp_path / "alone", 6)
    with pytest.raises(KeyboardInterrupt):
        trained(stopped, tmp_path / "disturbed", 6, stop)
    (checkpoint,) = (tmp_path / "disturbed").glob("checkpoint-*")
    assert checkpoint.name == "checkpoint-2"
    assert "heads._aligned_drugs.weight" in load_file(checkpoint / "weights.safetensors")
    went_on = trained(again, tmp_path / "disturbed", 6)
    assert [row.get("align") for row in went_on] == [row.get("align") for row in history]
    assert alone.model.state_dict().keys() == stopped.model.state_dict().keys() == new(source).model.state_dict().keys()
    assert all(torch.equal(one, again.model.state_dict()[name]) for name, one in alone.model.state_dict().items())


@pytest.mark.parametrize("align", [{"weight": 0.5}, {"weight": 1.0, "temperature": 2.0}])
def test_another_weight_or_temperature_is_another_stage(align: dict[str, float], tmp_path: Path) -> None:
    settings = [settings_of(tmp_path, one) for one in (None, {"weight": 1.0}, align)]
    assert "align" not in settings[0], "the key of a stage that aligns nothing is what it was"
    assert settings[1] != settings[2]


def settings_of(folder: Path, align: dict[str, float] | None) -> dict[str, Any]:
    stages = {"aligned": FAST | ({"align": align} if align else {})}
    study, _ = load_study(str(write(folder, Path("unused"), stages=stages, arms=STUDENTS[1:], primary=None)))
    stage = study.stage_of("aligned")
    assert stage is not None
    settings: dict[str, Any] = study.settings_of(stage, study.tasks[0]).model_dump()
    return settings


def entry(**data: Any) -> list[dict[str, Any]]:
    return [{"task": "medication", "data": DATA | data, "views": VIEWS}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages": {"aligned": FAST | {"align": {"weight": 0}}}}, "aligned.align.weight: Input should be greater"),
        ({"stages": {"aligned": FAST | {"align": {"temperature": -1}}}}, "aligned.align.temperature"),
        ({"stages": {"aligned": FAST | {"align": {"tau": 1}}}}, "aligned.align.tau: there is no such setting"),
        ({"stages": {"aligned": {"kind": "sft", "align": {}}}}, "aligned.align: there is no such setting"),
        ({"stages": {"aligned": FAST | {"align": {}, "batch_size": 1}}}, "`batch_size` is 1"),
        ({"arms": [{**STUDENTS[1], "view": "codes"}]}, "view codes has no profile of the patient"),
        ({"tasks": entry(subgroups=["sex"])}, "{age} is not a field"),
        ({"tasks": [{**entry()[0], "views": VIEWS | {"profile": "profile: {present}\n{visits}"}}]},
         "results are not broken down by present"),
        ({"tasks": [{**entry()[0], "views": VIEWS | {"profile": "profile: {sex}\nD: {age}"}}]}, "of any earlier visit"),
        ({"stages": {"aligned": {"kind": "classify", "align": {}}}}, "for small nets over sets of codes"),
        ({"tasks": [{**entry()[0], "views": VIEWS | {"profile": "{visits}\nprofile: {sex}"}}]},
         "stage aligned, view profile: a profile stands behind other lines. Begin the template with it"),
        ({"stages": {"aligned": FAST},
          "tasks": [{**entry()[0], "views": VIEWS | {"profile": "profile: {present}\n{visits}"}}]},
         "results are not broken down by present"),
    ],
)  # fmt: skip
def test_what_cannot_be_aligned_is_refused(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, changes: dict[str, Any], said: str
) -> None:
    study = write(tmp_path, tiny_model_folder, **({"arms": STUDENTS[1:], "primary": None} | changes))
    checked = preceptor.run("check", study)
    assert checked.code == 2, checked
    assert said in checked.errors


def test_a_profile_in_the_data_is_refused(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> None:
    """What it goes by must be named in the template, so that results are broken down by it."""
    task = yaml.safe_load(task_file("medication").read_text())
    (tmp_path / "own.task.yaml").write_text(yaml.safe_dump(task | {"name": "own"}, sort_keys=False))
    cases = [case.fields | {"drugs": case.target, "patient": case.group} for case in make_cases("medication", 40, 5)]
    rows = [json.dumps(one | {"visits": f"profile: of age\n{one['visits']}"}) for one in cases]
    (tmp_path / "own.jsonl").write_text("\n".join(rows) + "\n")
    data = {"path": "own.jsonl", "target": "drugs", "group": "patient"}
    own = {"task": "own.task.yaml", "data": data, "views": {"codes": {"template": "{visits}", "cut": "visits"}}}
    arms = [{**STUDENTS[0], "view": "codes"}]
    checked = preceptor.run("check", write(tmp_path, tiny_model_folder, arms=arms, primary=None, tasks=[own]))
    assert checked.code == 2, checked
    assert "stage plain, view codes: a field holds a profile of the patient" in checked.errors
    assert "of age" not in checked.errors


def test_methods_say_what_was_aligned_and_what_was_learned_toward() -> None:
    settings = {"epochs": 3, "learning_rate": 1e-3, "batch_size": 16}
    toward = {"toward": {"states": "taught", "permute": True}}
    assert "aligned" not in how_trained(settings, "every weight")
    said = how_trained(settings | toward | {"align": {"weight": 0.01}}, "every weight")
    assert "the states of taught (those of other patients; weight 0.4)" in said
    assert said.endswith("over the cases of a batch (weight 0.01, temperature 1).")


@pytest.mark.slow_recipe
def test_killed_while_it_aligns_it_ends_with_the_same_bytes(tmp_path: Path, tiny_model_folder: Path) -> None:
    study = write(tmp_path, tiny_model_folder, arms=STUDENTS[1:], primary=None)
    patterns = ("cells/**/predictions.jsonl", "stages/*/model/*", "stages/*/slots/*/*")
    moments = (test_resume.in_sft, test_resume.saving)
    _, disturbed = test_resume.killed_and_alone(study, tmp_path, moments, patterns)
    (aligned,) = ([row["align"] for row in one["history"] if "align" in row] for one in test_resume.ledgers(disturbed))
    assert len(aligned) == 36
