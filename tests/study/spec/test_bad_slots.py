"""What a careless or hostile study file says of slots: refused before training, with where, what and what to do."""

import math
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from preceptor.errors import InputError
from preceptor.study import load_study
from tiny_study import write_study

LORA: dict[str, Any] = {"type": "LORA", "r": 4, "target_modules": "all-linear"}
PROMPT: dict[str, Any] = {"type": "PROMPT_TUNING", "num_virtual_tokens": 4}
HEAD = {"type": "head"}
NAME = "a slot's name begins with one of a to z and has at most 40"
OTHERS = "init_lora_weights must be true, false, gaussian or orthogonal"


def slot(**settings: Any) -> dict[str, Any]:
    return {"slots": {"one": LORA | settings}}


def prompt(**settings: Any) -> dict[str, Any]:
    return {"slots": {"one": PROMPT | settings}}


def stage(**entry: Any) -> dict[str, Any]:
    slots = {"one": LORA, "two": LORA, "head": HEAD}
    return {"slots": slots, "stages": {"first": {"kind": "sft"} | entry}, "arms": ["base", "first"]}


IN_THE_FILE: list[tuple[dict[str, Any], str]] = [
    ({"slots": "LORA"}, "slots: Input should be a valid mapping"),
    ({"slots": [LORA]}, "slots: Input should be a valid mapping"),
    ({"slots": {"one": None}}, "slots.one: Input should be a valid mapping. "),
    ({"slots": {"one": {"r": 4}}}, "slots.one.type: this setting is missing. Add it"),
    ({"slots": {"one": {"type": ["LORA"]}}}, "slots.one.type: Input should be a valid string"),
    ({"slots": {"one": {"type": "lora"}}}, "slots.one: there is no slot of type 'lora'; use head or one of BEFT"),
    ({"slots": {"one": {"type": "XLORA", "adapters": {"a": "/etc"}}}}, "cannot be of type XLORA: it is a mixture"),
    ({"slots": {1: LORA}}, "slots.1.[key]: Input should be a valid string"),
    ({"slots": {"": LORA}}, NAME),
    ({"slots": {"../x": LORA}}, NAME),
    ({"slots": {"a/b": LORA}}, NAME),
    ({"slots": {"a.b": LORA}}, NAME),
    ({"slots": {"a\n": LORA}}, NAME),
    ({"slots": {"aé": LORA}}, NAME),
    ({"slots": {"a" * 300: LORA}}, NAME),
    ({"slots": {"__init__": LORA}}, NAME),
    ({"slots": {"default": LORA}}, "slots: default: take another name"),
    ({"slots": {"backbone": LORA}}, "slots: backbone: take another name"),
    ({"slots": {"forward": LORA}}, "slots: forward: take another name"),
    ({"slots": {"head": LORA}}, "slots: head: only a slot of type head can have this name"),
    ({"slots": {"one": LORA}, "train": ["one"]}, "train: there is no such setting"),
    ({"heads": {"one": HEAD}}, "heads: there is no such setting"),
    (slot(rank=8), "slots.one: PEFT refuses these settings of LORA: LoraConfig.__init__() got an unexpected keyword"),
    (slot(task_type="SEQ_CLS"), "slots.one: task_type is no setting of a slot; take it out"),
    (slot(peft_type="IA3"), "slots.one: peft_type is no setting of a slot"),
    (slot(inference_mode=True), "slots.one: inference_mode is no setting of a slot"),
    (slot(base_model_name_or_path="/etc/passwd"), "base_model_name_or_path is no setting of a slot"),
    (slot(trainable_token_indices=[1]), "trainable_token_indices is no setting of a slot"),
    (slot(megatron_config={"a": 1}), "megatron_config is no setting of a slot"),
    (slot(megatron_core="antigravity"), "megatron_core is no setting of a slot"),
    (prompt(token_dim=7), "slots.one: token_dim is no setting of a slot"),
    (
        prompt(tokenizer_name_or_path="nobody/none", prompt_tuning_init="TEXT", prompt_tuning_init_text="hello"),
        "tokenizer_name_or_path is no setting of a slot",
    ),
    (slot(r=-1), "slots.one: r, the rank, must be a whole number of at least 1"),
    (slot(r=2.5), "slots.one: r, the rank, must be a whole number"),
    (slot(r="4"), "slots.one: r, the rank, must be a whole number"),
    (slot(r=True), "slots.one: r, the rank, must be a whole number"),
    (slot(r=None), "slots.one: r, the rank, must be a whole number"),
    (slot(r=math.nan), "slots.one: r, the rank, must be a whole number"),
    (slot(lora_alpha=math.nan), "slots.one: lora_alpha must be a finite number"),
    (slot(lora_alpha=-math.inf), "slots.one: lora_alpha must be a finite number"),
    (slot(alpha_pattern={"q_proj": math.nan}), "slots.one: alpha_pattern must be a finite number"),
    (slot(lora_dropout=0.1), "slots.one: lora_dropout must be 0"),
    (slot(bias="all"), "slots.one: bias would tune weights of the model itself"),
    (slot(modules_to_save=["lm_head"]), "slots.one: modules_to_save is not a part of a slot; name a head"),
    (slot(init_lora_weights="pissa"), OTHERS),
    (slot(init_lora_weights="nonsense"), OTHERS),
    (prompt(num_virtual_tokens=0), "slots.one: num_virtual_tokens must be a whole number of at least 1"),
    (prompt(num_virtual_tokens=-3), "slots.one: num_virtual_tokens must be a whole number of at least 1"),
    (prompt(num_virtual_tokens="four"), "slots.one: num_virtual_tokens must be a whole number of at least 1"),
    ({"slots": {"one": {"type": "PREFIX_TUNING"}}}, "slots.one: num_virtual_tokens must be a whole number"),
    (
        {"slots": {"one": {"type": "P_TUNING", "num_virtual_tokens": 4}}},
        "slots.one: encoder_hidden_size must be a whole number of at least 1",
    ),
    ({"slots": {"one": LORA, "head": HEAD | {"bias": True}}}, "slots.head: a head has the settings"),
    ({"slots": {"one": LORA, "head": HEAD | {"chunk_length": 8}}}, "slots.head: chunk_length must be a whole number"),
    (slot(chunk_length=64), "slots.one: chunk_length is a setting of a head, which reads the case; take it out"),
    (
        {"slots": {"one": LORA, "head": HEAD | {"outputs": 7}}},
        "slots: head: a head has an output for each label of the task; take `outputs` out",
    ),
    (
        {"slots": {"one": LORA, "a": HEAD, "b": HEAD}, "arms": ["classify", "tfidf"]},
        "stages: classify: it trains one head; name one of a, b in `train`",
    ),
    (prompt(prompt_tuning_init="TEXT"), "prompt_tuning_init must be RANDOM or SAMPLE_VOCAB"),
    (
        {"slots": {"one": {"type": "IA3", "target_modules": "all-linear"}}},
        "slots.one: feedforward_modules must be [] or those of a list of target_modules",
    ),
    ({"slots": {"one": LORA, "two": {"type": "IA3"}}}, "sft: slots of different types cannot be active together"),
    ({"slots": {"one": PROMPT, "two": PROMPT}}, "sft: only one slot of type PROMPT_TUNING can be active at a time"),
    ({"slots": {"head": HEAD}}, "stages: sft: it would train nothing; name a slot in `train`"),
    ({"slots": {"one": LORA}, "adapter": "none"}, "slots: they stand on a frozen model, and `adapter: none` tunes"),
    (stage(train="one"), "stages.first.train: Input should be a valid list"),
    (stage(train={"one": 1}), "stages.first.train: Input should be a valid list"),
    (stage(train=None), "stages.first.train: Input should be a valid list"),
    (stage(train=["three"]), "stages: first: there is no slot three; name it in `slots`"),
    (stage(use=["three"]), "stages: first: there is no slot three; name it in `slots`"),
    (stage(train=["backbone"]), "stages: first: there is no slot backbone"),
    (stage(train=["one", "one"]), "stages: first: name each slot only once"),
    (stage(train=["one"], use=["one"]), "stages: first: one cannot both learn and stay frozen"),
    (stage(train=["one"], use=["two"]), "stages: first: no stage before it trained two; take it out of `use`"),
    (stage(use=["one", "two"]), "stages: first: it would train nothing; name a slot in `train`"),
    (stage(train=["head"]), "stages: first: sft trains no head, so it cannot train head"),
    (stage(train=["one"], use=["head"]), "stages: first: no stage before it trained head; take it out of `use`"),
    (stage(train=["one"], after="first"), "stages: first comes after itself"),
    (
        {
            "stages": {"first": {"kind": "sft", "after": "second"}, "second": {"kind": "sft", "after": "first"}},
            "arms": ["base", "first"],
        },
        "stages: first comes after itself; second comes after itself",
    ),
]
ON_THE_MODEL: list[tuple[dict[str, Any], str]] = [
    (slot(r=0), "slot one: PEFT cannot put it on this model: `r` should be a positive integer"),
    (slot(r=10**9), "numbers, and the model itself has 66,720. Lower its rank"),
    (slot(lora_alpha="x"), "slot one: PEFT cannot put it on this model: unsupported operand"),
    (slot(target_modules=["nothing_here"]), "slot one: PEFT cannot put it on this model: Target modules"),
    (slot(target_modules=[]), "slot one: PEFT cannot put it on this model: No `target_modules` passed"),
    (slot(target_modules="(("), "slot one: PEFT cannot run it on this model: missing ), unterminated subpattern"),
    (slot(target_modules=["norm"]), "slot one: PEFT cannot put it on this model: Target module LlamaRMSNorm"),
    (slot(target_modules=["q_proj"], layers_to_transform=[99]), "slot one: PEFT cannot put it on this model"),
    (slot(rank_pattern=[1]), "slot one: PEFT cannot put it on this model: 'list' object has no attribute"),
    (prompt(num_virtual_tokens=10**6), "Lower its rank, or how many vectors it has"),
    (prompt(num_virtual_tokens=3900), "max_length: 256 tokens are asked for beside 3900 vectors in front of them"),
]


@pytest.mark.parametrize(("changes", "said"), IN_THE_FILE, ids=[str(number) for number in range(len(IN_THE_FILE))])
def test_what_the_file_alone_shows(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    file = write_study(tmp_path, Path("unused"), **({"arms": ["base", "sft"]} | changes))
    with pytest.raises(InputError) as refused:
        load_study(str(file))
    assert said in str(refused.value)
    assert all(str(file) in one.where and one.fix for one in refused.value.problems)


@pytest.mark.parametrize(("changes", "said"), ON_THE_MODEL, ids=[str(number) for number in range(len(ON_THE_MODEL))])
def test_what_the_model_cannot_have(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, changes: dict[str, Any], said: str
) -> None:
    file = write_study(tmp_path / "own", tiny_model_folder, **({"arms": ["base", "sft"]} | changes))
    ended = preceptor.run("check", file)
    assert ended.code == 2
    assert ended.errors.startswith("error ")
    assert said in ended.errors
    assert "Traceback" not in ended.errors + ended.shown
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
