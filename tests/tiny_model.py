"""A language model small enough to build on the spot, which speaks a ChatML-like template."""

from pathlib import Path
from string import printable, whitespace
from typing import Any

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

# The tokenizer learns its merges from these lines; letters, digits and signs beyond them are still single bytes.
CORPUS = [
    "system user assistant yes no stage 0 1 2 3 urgent routine emergency pharmacist nurse general practitioner",
    "The patient is a 64-year-old woman with fever 38.0 C, dysuria and a urinary catheter since day 3.",
    "Creatinine 1.2 mg/dL on day 1, 2.4 mg/dL on day 3; urine output 0.4 mL/kg/h for 12 hours.",
    "No chest pain, no shortness of breath. D-dimer 480 ng/mL. Blood pressure 118/76 mmHg, heart rate 96/min.",
    "Answer with one of the labels. Which stage of acute kidney injury is it? Answer: stage 2",
    "Discharge summary: admitted with pneumonia, treated with amoxicillin 500 mg, warfarin stopped.",
]


def build_tiny_model(folder: Path, *, chat_template: str | None = CHAT_TEMPLATE, seed: int = 0) -> Path:
    """Write a random two-layer Llama (about 60,000 weights, float32) and its byte-level tokenizer to `folder`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tiny_tokenizer(chat_template)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def build_tiny_encoder(folder: Path, *, seed: int = 0, config: Any = None) -> Path:
    """Write a random two-layer BERT (about 70,000 weights, float32) and its word-piece tokenizer to `folder`.

    config: of another encoder, which then lacks only the size of its vocabulary.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoModel, BertConfig, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted({word for line in CORPUS for word in line.lower().split() if word.isalpha()})
    signs = sorted(set(printable.lower()) - set(whitespace))
    # Written down, because a vocabulary that is trained comes out a little different every time.
    pieces = dict.fromkeys([*special, *signs, *(f"##{sign}" for sign in signs), *words])
    backend = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(name, backend.token_to_id(name)) for name in ("[SEP]", "[CLS]")]
    backend.post_processor = processors.BertProcessing(*ends)
    named = {f"{name.strip('[]').lower()}_token": name for name in special}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **named)
    tokenizer.save_pretrained(folder)
    config = config or BertConfig(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
    )
    config.vocab_size = len(tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        AutoModel.from_config(config).save_pretrained(folder)
    return folder


def _tiny_tokenizer(chat_template: str | None) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=chat_template,
    )
