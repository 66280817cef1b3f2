"""A held-out case of the study, sent again to the model under test."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Replayed:
    """The study's answer to one case (`measured`) and the model's (`served`).

    measured_prompt, served_prompt: prompt lengths in tokens, None where the server reports none. logprobs: the tokens
    of the served answer with their log-probabilities in nats, None where the server reports none.
    """

    id: str
    measured: str = field(repr=False)
    served: str = field(repr=False)
    measured_prompt: int
    served_prompt: int | None = None
    logprobs: tuple[tuple[str, float], ...] | None = field(default=None, repr=False)

    @property
    def same(self) -> bool:
        """Whether the two texts are equal up to surrounding white space."""
        return stripped(self.measured) == stripped(self.served)

    @property
    def diverges_at(self) -> int:
        """The length of the common prefix, in characters."""
        return common_prefix(self.measured, self.served)

    @property
    def continues(self) -> bool:
        """Whether the measured text is a proper prefix of the served one."""
        return not self.same and 0 < self.diverges_at == len(stripped(self.measured))

    @property
    def truncated(self) -> bool:
        """Whether the served text is a proper prefix of the measured one."""
        return not self.same and 0 < self.diverges_at == len(stripped(self.served))


def stripped(text: str) -> str:
    """`text` without surrounding white space, unless it holds nothing else."""
    return text.strip() or text


def common_prefix(one: str, other: str) -> int:
    """The length in characters of the common prefix of two texts, surrounding white space ignored."""
    a, b = stripped(one), stripped(other)
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
