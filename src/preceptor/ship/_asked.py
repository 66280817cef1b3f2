"""A held-out case that was asked again."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """What one case was answered in the study and now.

    measured_prompt, served_prompt: tokens of the prompt, which not every server tells. logprobs: each token of the
    served answer with its log-probability in nats, where they were told.
    """

    id: str
    measured: str = field(repr=False)
    served: str = field(repr=False)
    measured_prompt: int
    served_prompt: int | None = None
    logprobs: tuple[tuple[str, float], ...] | None = field(default=None, repr=False)

    @property
    def same(self) -> bool:
        """Whether the two texts are the same; white space around them says nothing."""
        return bare(self.measured) == bare(self.served)

    @property
    def parts_at(self) -> int:
        """How many characters the two texts begin with in common."""
        return common(self.measured, self.served)

    @property
    def goes_on(self) -> bool:
        """Whether the served text is the measured one and more."""
        return not self.same and 0 < self.parts_at == len(bare(self.measured))

    @property
    def stops_short(self) -> bool:
        """Whether the served text is the beginning of the measured one."""
        return not self.same and 0 < self.parts_at == len(bare(self.served))


def bare(text: str) -> str:
    """Without the white space around it, which says nothing unless there is nothing else."""
    return text.strip() or text


def common(one: str, other: str) -> int:
    """How many characters two texts begin with in common, white space around them left out."""
    a, b = bare(one), bare(other)
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
