"""A small net over visits that are sets of codes, trained from scratch (the student of LEADER, Liu et al. 2024).

Its text form is that of `tasks.write_visits`: a visit a line, in it sets, each behind its kind. Nothing depends on the
order of the codes of a set. All that is seen at once is one sequence of tokens: which tokens are of one set, and which
sets of one kind, the masks say, so that shapes depend on lengths alone.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

UNKNOWN, VISIT = 1, 2
"""Token ids of a code that training never showed, and of the break between two visits; 0 fills up."""


class CodeSetsConfig(PretrainedConfig):
    """kinds: the token ids by which sets of each kind begin. hidden_size: of the state that a head reads.

    profile: two places in `kinds`. A set of the first, a patient's profile, is read as if it were one of the second
    that was there before the first visit; None where there are no profiles.
    """

    model_type = "code_sets"

    def __init__(
        self,
        vocab_size: int = 8,
        kinds: tuple[int, ...] | list[int] = (3,),
        width: int = 64,
        feed_forward: int = 300,
        heads: int = 4,
        num_hidden_layers: int = 1,
        hidden_size: int = 128,
        profile: tuple[int, int] | list[int] | None = None,
        **others: Any,
    ) -> None:
        self.vocab_size, self.kinds, self.hidden_size = vocab_size, list(kinds), hidden_size
        self.width, self.feed_forward, self.heads = width, feed_forward, heads
        self.num_hidden_layers = num_hidden_layers
        if profile is not None:  # the file of a net without one is what it was before there were profiles
            self.profile = list(profile)
        super().__init__(**others)


class Block(nn.Module):
    """A pre-norm transformer block without positions: x + attention(norm x), then x + feed-forward(norm x).

    torch's own rounds otherwise without gradients, and holds projections where neither operations nor adapters find
    linear layers.
    """

    def __init__(self, config: CodeSetsConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.before, self.behind = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, config.feed_forward), nn.Linear(config.feed_forward, width)

    def forward(self, states: Tensor, sees: Tensor) -> Tensor:
        """states: [n, T, width]. sees: [n, T, T] bool, whether a row sees a column; each sees itself."""
        normed = self.before(states)
        query, key, value = (
            layer(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=sees[:, None])
        states = states + self.out(mixed.transpose(1, 2).flatten(2))
        fed: Tensor = self.narrow(functional.relu(self.wide(self.behind(states))))
        return states + fed


class _Sets(NamedTuple):
    """states: [n, T, width], at each code the mean of its set. kind, visit: [n, T], the number of the kind of a code's
    set (-1 where a token is none) and of its visit. first: [n, T] bool, the one token that stands for its set.
    """

    states: Tensor
    kind: Tensor
    visit: Tensor
    first: Tensor


class CodeSetsModel(PreTrainedModel):
    """Codes -> the mean of each set, by a block of its kind -> the mean over visits of each kind, by a block that all
    kinds share -> these side by side, ReLU, linear, ReLU: the state of a case, which stands at each of its tokens.

    Sets of the present visit, the last one, have a vector of their own added: a mean over visits knows no order. Codes
    that training never showed are passed over; a kind of which there is no set is zero. A profile has a block of its
    own as a set, and is then one of the sets of the kind that it is read as.
    """

    config_class = CodeSetsConfig
    config: CodeSetsConfig

    def __init__(self, config: CodeSetsConfig) -> None:
        super().__init__(config)
        width, layers = config.width, range(config.num_hidden_layers)
        self.codes = nn.Embedding(config.vocab_size, width)
        self.present = nn.Parameter(torch.zeros(width))
        self.of_sets = nn.ModuleList(nn.ModuleList(Block(config) for _ in layers) for _ in config.kinds)
        self.of_visits = nn.ModuleList(Block(config) for _ in layers)
        self.profile: list[int] | None = getattr(config, "profile", None)
        self.own_kinds = [kind for kind in range(len(config.kinds)) if not self.profile or kind != self.profile[0]]
        self.state = nn.Linear(width * len(self.own_kinds), config.hidden_size)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """torch's own numbers stay."""

    def get_input_embeddings(self) -> nn.Embedding:
        """The table of codes."""
        return self.codes

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, *, output_hidden_states: bool = False, **_: Any
    ) -> BaseModelOutput:
        """input_ids: [n, T] long; attention_mask: [n, T], 0 where a row is filled up, behind its last token. The state
        of the case is the only one there is to put out.
        """
        sets = self._sets(input_ids, attention_mask)
        kind, visit, first = sets.kind, sets.visit, sets.first
        if self.profile:
            kind = torch.where(kind == self.profile[0], self.profile[1], kind)
        states = sets.states + self.present * (visit == visit.amax(1, keepdim=True))[..., None]
        alike = first[:, :, None] & first[:, None] & (kind[:, :, None] == kind[:, None])
        states = self._seen(self.of_visits, states, alike)
        means = [_mean((first & (kind == own))[:, None], states)[:, 0] for own in self.own_kinds]
        state = functional.relu(self.state(functional.relu(torch.cat(means, -1))))
        states = state[:, None].expand(-1, input_ids.shape[1], -1)
        return BaseModelOutput(last_hidden_state=states, hidden_states=(states,) if output_hidden_states else None)

    def set_vectors(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[n, width] the mean of the set that each row of `input_ids` has, as it is before visits are compared; zero
        where training showed none of its codes. Both as of `forward`.
        """
        sets = self._sets(input_ids, attention_mask)
        return _mean(sets.first[:, None], sets.states)[:, 0]

    def _sets(self, input_ids: Tensor, attention_mask: Tensor | None) -> _Sets:
        real = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        visit = ((input_ids == VISIT) & real).cumsum(1)
        kind = self._kinds(input_ids, visit)
        code = real & (kind >= 0) & (input_ids != UNKNOWN)
        together = code[:, :, None] & code[:, None] & (kind[:, :, None] == kind[:, None])
        together = together & (visit[:, :, None] == visit[:, None])
        states = self._of_sets(self.codes(input_ids), kind, together)
        return _Sets(states, kind, visit, code & ~together.tril(-1).any(-1))

    def _of_sets(self, states: Tensor, kind: Tensor, together: Tensor) -> Tensor:
        """[n, T, width] at each code the mean of its set."""
        made = torch.zeros_like(states)
        for number, blocks in enumerate(self.of_sets):
            assert isinstance(blocks, nn.ModuleList)
            made = torch.where((kind == number)[..., None], self._seen(blocks, states, together), made)
        return _mean(together, made)

    def _kinds(self, ids: Tensor, visit: Tensor) -> Tensor:
        """[n, T] the number of the kind that a code's set begins with, -1 where a token is no code of a set."""
        place = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        marks = [ids == mark for mark in self.config.kinds]
        numbers = sum((number + 1) * mark.long() for number, mark in enumerate(marks))
        breaks = numbers.bool() | (ids == VISIT)  # type: ignore[union-attr]
        last = torch.where(breaks, place, 0).cummax(1).values
        return torch.where(breaks, 0, numbers.gather(1, last)) - 1  # type: ignore[union-attr]

    def _seen(self, blocks: nn.ModuleList, states: Tensor, sees: Tensor) -> Tensor:
        itself = torch.eye(states.shape[1], dtype=torch.bool, device=states.device)
        for block in blocks:
            states = block(states, sees | itself)
        return states


def _mean(of: Tensor, states: Tensor) -> Tensor:
    """The mean of the states that each row of `of` [n, rows, T] names, [n, rows, width]; zero where it names none."""
    return of.to(states.dtype) @ states / of.sum(-1, keepdim=True).clamp(min=1)


AutoConfig.register(CodeSetsConfig.model_type, CodeSetsConfig)
AutoModel.register(CodeSetsConfig, CodeSetsModel)
