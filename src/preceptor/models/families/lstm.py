"""Small recurrent nets over the words of a text: made from settings on another model's word vectors, which stay frozen.

The nets are MeDAL's (Wen, Lu & Reddy 2020, arXiv 2012.13978): a BiLSTM, and the same with a layer of soft attention. A
word is a token of the other model's tokenizer, and its vector a row of that model's input embeddings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from preceptor.models.families._between_own_tokens import check_tokenizer, encode, ends

__all__ = ["AUTO_MODEL", "DTYPE", "PEFT_TASK", "POOL", "WRITES", "check_tokenizer", "drawn", "encode", "ends", "fits"]

AUTO_MODEL = AutoModel
PEFT_TASK = "FEATURE_EXTRACTION"
POOL = "attention"
"""As the paper: no token's state has seen all others, forwards and backwards."""
WRITES = False
DTYPE = torch.float32
"""Of all weights, whatever the study's other models have: every one of them learns."""

_VECTORS = "words.safetensors"


class WordLSTMConfig(PretrainedConfig):
    """word_size: numbers of a word's vector. width: numbers of a state in each direction. attends: whether a layer of
    attention lies on the states.
    """

    model_type = "word_lstm"

    def __init__(
        self,
        vocab_size: int = 8,
        word_size: int = 8,
        width: int = 128,
        num_hidden_layers: int = 2,
        attends: bool = False,
        **others: Any,
    ) -> None:
        self.vocab_size, self.word_size, self.width = vocab_size, word_size, width
        self.num_hidden_layers, self.attends = num_hidden_layers, attends
        super().__init__(**others | {"hidden_size": 2 * width})


class Words(nn.Module):
    """Word vectors, `weight` [vocab_size, word_size]: a buffer, since none of them learns."""

    weight: Tensor

    def __init__(self, vocab_size: int, word_size: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(vocab_size, word_size))

    def forward(self, ids: Tensor) -> Tensor:
        """ids: [n, T] -> [n, T, word_size]."""
        return functional.embedding(ids, self.weight)


class SoftAttention(nn.Module):
    """o_i = sum_j w_ij h_j, with w_i the softmax over j of tanh(h_i W h_j + b): the paper's, with q = k = v = h."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, width, bias=False)
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, states: Tensor, real: Tensor) -> Tensor:
        """states: [n, T, width]. real: [n, T] bool, the tokens that are attended to; each row has one."""
        scores = torch.tanh(self.score(states) @ states.transpose(1, 2) + self.shift)
        return scores.masked_fill(~real[:, None], -torch.inf).softmax(-1) @ states


class WordLSTM(PreTrainedModel):
    """Word vectors -> an LSTM of several layers, forwards and backwards, perhaps with attention on it: a state of 2
    width numbers for each token.
    """

    config_class = WordLSTMConfig
    config: WordLSTMConfig

    def __init__(self, config: WordLSTMConfig) -> None:
        super().__init__(config)
        self.words = Words(config.vocab_size, config.word_size)
        self.lstm = nn.LSTM(
            config.word_size, config.width, config.num_hidden_layers, batch_first=True, bidirectional=True
        )
        self.attention = SoftAttention(config.hidden_size) if config.attends else None
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """torch's own numbers stay."""

    def get_input_embeddings(self) -> Words:
        """The word vectors."""
        return self.words

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool = False,
        **_: Any,
    ) -> BaseModelOutput:
        """input_ids: [n, T] long; attention_mask: [n, T], 0 where a row is filled up, behind its last token.

        Neither direction sees what fills a row up, nor does attention.
        """
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        states = both_ways(self.lstm, self.words(input_ids), real.sum(1))
        if self.attention is not None:
            states = self.attention(states, real.bool())
        return BaseModelOutput(last_hidden_state=states, hidden_states=(states,) if output_hidden_states else None)


def both_ways(lstm: nn.LSTM, words: Tensor, lengths: Tensor) -> Tensor:
    """The states of a bidirectional `lstm`: [n, T, 2 width], of `words` [n, T, word_size] with `lengths` [n] of T real.

    Backwards begins at each row's last real word, as with packed sequences, which take torch several times as long
    on a CPU: the real words are turned round, read forwards, and the states turned back. What stands behind `lengths`
    is of no use.
    """
    places = torch.arange(words.shape[1], device=words.device).expand(words.shape[:2])
    turned = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
    states = words
    for layer in range(lstm.num_layers):
        forwards = _one_way(lstm, f"l{layer}", states)
        backwards = _one_way(lstm, f"l{layer}_reverse", _in_order(states, turned))
        states = torch.cat([forwards, _in_order(backwards, turned)], -1)
    return states


def _one_way(lstm: nn.LSTM, weights: str, states: Tensor) -> Tensor:
    """One layer in one direction, from a state of zeros. It says that it trains: cuDNN has no other gradients."""
    zeros = states.new_zeros(1, len(states), lstm.hidden_size)
    named = [getattr(lstm, f"{kind}_{weights}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    found: tuple[Tensor, Tensor, Tensor] = torch.lstm(states, (zeros, zeros), named, True, 1, 0.0, True, False, True)
    return found[0]


def _in_order(states: Tensor, places: Tensor) -> Tensor:
    """states: [n, T, width], in the order of `places` [n, T]."""
    return states.gather(1, places[..., None].expand(-1, -1, states.shape[-1]))


def fits(config: Mapping[str, Any]) -> bool:
    """Whether a `config.json` is one of these."""
    return config.get("model_type") == WordLSTMConfig.model_type


def trim(model: Any) -> None:
    """Nothing: every layer is used."""


def missing(folder: Path) -> tuple[str, str] | None:
    """Nothing: the folder was made here."""
    return None


def make(tokenizer: Any, vectors: Tensor, width: int, layers: int, attends: bool, folder: Path) -> None:
    """Write configuration, tokenizer and word vectors [vocab_size, word_size] float32; none where these are on the
    device `meta`, as of a model whose weights are not here.

    Vectors are scaled to a standard deviation of 1: encoders hold them small, and norm them behind, which an LSTM does
    not.
    """
    for option in ("local_files_only", "is_local", "trust_remote_code"):
        tokenizer.init_kwargs.pop(option, None)
    tokenizer.save_pretrained(folder)
    vocab_size, word_size = vectors.shape
    WordLSTMConfig(vocab_size, word_size, width, layers, attends).save_pretrained(folder)
    if not vectors.is_meta:
        save_file({"weight": (vectors / vectors.std()).contiguous()}, folder / _VECTORS, metadata={"format": "pt"})


def drawn(folder: Path, seed: int) -> WordLSTM:
    """The net with weights drawn from `seed` on the word vectors; the global random state is as it was."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        model = WordLSTM(WordLSTMConfig.from_pretrained(folder))
    model.words.load_state_dict(load_file(folder / _VECTORS))
    return model


def in_torch(config: Mapping[str, Any]) -> str:
    """How its states are computed without this file, for who has a `config.json` and the weights beside it."""
    size = ", ".join(str(config[name]) for name in ("word_size", "width", "num_hidden_layers"))
    attended = (
        ", once attention has made softmax(tanh(h W' h' + b)) h of them, with W `attention.score.weight` and b "
        "`attention.shift`"
    )
    return (
        f"`torch.nn.LSTM({size}, batch_first=True, bidirectional=True)` with the weights behind `lstm.` gives its "
        f"hidden states h, of the rows of `words.weight` that token ids name{attended if config['attends'] else ''}"
    )


AutoConfig.register(WordLSTMConfig.model_type, WordLSTMConfig)
AutoModel.register(WordLSTMConfig, WordLSTM)
