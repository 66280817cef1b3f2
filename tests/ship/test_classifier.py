"""Heads as `AutoModelForSequenceClassification`, of every kind of model, loaded by plain transformers: float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from preceptor.ship._classifier import classifier, why_not

SIZES: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
KINDS: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "camembert": SIZES,
    "mpnet": SIZES,
    "roberta": SIZES,
    "xlm-roberta": SIZES,
    "electra": SIZES | {"embedding_size": 24},
    "distilbert": {"dim": 48, "n_layers": 2, "n_heads": 4, "hidden_dim": 96},
    "deberta-v2": SIZES | {"pooler_hidden_size": 48},
}
TEXTS = ["Fever and dysuria.", "No chest pain on day 3; the patient was admitted with pneumonia."]
LABELS = ["urgent", "routine", "none of these"]


def head(labels: int = len(LABELS), *, bias: bool = True) -> dict[str, Tensor]:
    drawn = torch.Generator().manual_seed(0)
    weights = {"weight": torch.randn(labels, 48, generator=drawn), "bias": 3 * torch.randn(labels, generator=drawn)}
    return weights if bias else {"weight": weights["weight"]}


def encoder(kind: str, tokenizer: Any) -> Any:
    """A random encoder as the study holds it, without a pooler, whose states are as large as those of trained ones."""
    own = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "initializer_range": 0.5}
    config = AutoConfig.for_model(kind, **own, **KINDS[kind])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: Any = AutoModel.from_config(config).eval()
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 1:  # of the layer norms
                weight.mul_(4)
    return model


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_and_its_head_are_one_model_with_the_same_logits(
    kind: str, tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_encoder_folder)
    model, weights = encoder(kind, tokenizer), head()
    asked = tokenizer(TEXTS, padding=True, return_tensors="pt", return_token_type_ids=False)
    wanted = model(**asked).last_hidden_state[:, 0] @ weights["weight"].T + weights["bias"]
    assert why_not(model.config, weights, "first", tokenizer) is None
    classifier(model, weights, LABELS, tokenizer).save_pretrained(tmp_path)
    loaded: Any = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    again, found = loaded
    assert not any(found.values()), "every weight is there, and no other"
    torch.testing.assert_close(again(**asked).logits, wanted, atol=1e-5, rtol=0)
    assert (wanted[0] - wanted[1]).abs().max() > 1
    assert again.config.id2label == dict(enumerate(LABELS))
    assert again.config.label2id == {label: i for i, label in enumerate(LABELS)}
    assert (again.config.num_labels, again.config.problem_type) == (3, "single_label_classification")


@torch.no_grad()
def test_a_causal_model_and_its_head_are_one_model_with_the_same_logits(
    tmp_path: Path, tiny_model_folder: Path
) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model_folder)
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_model_folder)
    weights, texts = head(bias=False), [text + "\n" for text in TEXTS]
    wanted = torch.stack(
        [
            model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[-1][0, -1]
            @ weights["weight"].T
            for text in texts
        ]
    )
    tokenizer.pad_token = None  # then the token that ends an answer fills up
    assert why_not(model.config, weights, "last", tokenizer) is None
    classifier(model, weights, LABELS, tokenizer).save_pretrained(tmp_path)
    again: Any = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert again.config.pad_token_id == tokenizer.pad_token_id == tokenizer.eos_token_id
    for side in ("left", "right"):
        asked = tokenizer(texts, padding=True, padding_side=side, return_tensors="pt")
        torch.testing.assert_close(again(**asked).logits, wanted, atol=1e-5, rtol=0)


def test_what_cannot_be_one_model_is_said_by_name(tiny_model_folder: Path, tiny_encoder_folder: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model_folder)
    config = AutoConfig.from_pretrained(tiny_model_folder)
    assert "LlamaForSequenceClassification has no bias" in str(why_not(config, head(), "last", tokenizer))
    assert why_not(config, {"weight": head()["weight"], "bias": torch.zeros(3)}, "last", tokenizer) is None
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(
        tokenizer.apply_chat_template([{"role": "user", "content": "a"}], add_generation_prompt=True)["input_ids"][-1]
    )
    assert "prompts end with the padding token" in str(why_not(config, head(bias=False), "last", tokenizer))
    words: Any = AutoTokenizer.from_pretrained(tiny_encoder_folder)
    electra = AutoConfig.for_model("electra", **KINDS["electra"])
    assert why_not(electra, head(24), "first", words) is None
    assert "can give 24 labels" in str(why_not(electra, head(25), "first", words))
    modern = AutoConfig.for_model("modernbert", **SIZES)
    assert "ModernBertForSequenceClassification has layers" in str(why_not(modern, head(), "first", words))
    assert "no class for classification" in str(
        why_not(AutoConfig.for_model("t5gemma2_encoder"), head(), "first", words)
    )
    said = "BertForSequenceClassification reads the first token's hidden state, and the pool of this head is mean"
    assert why_not(AutoConfig.for_model("bert", **SIZES), head(), "mean", words) == said
