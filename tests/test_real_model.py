"""What must hold for the real model in both number formats on any CPU."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from preceptor.engine import DPOSettings, EncodedPair, Numerics, run_dpo
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.models import AdapterSettings, ModelSource, load_policy, new_policy

pytestmark = [pytest.mark.slow, pytest.mark.model]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_prefixes_are_shared(dtype: torch.dtype, embedded_source: ModelSource) -> None:
    assert shares_prefixes(load_policy(embedded_source, None, dtype=dtype))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("tokens", [1, 300])
def test_the_first_margin_is_0_to_the_bit(
    tokens: int, dtype: Literal["float32", "bfloat16"], embedded_source: ModelSource, tmp_path: Path
) -> None:
    numerics = Numerics(dtype=dtype, threads=2)
    policy = new_policy(embedded_source, AdapterSettings(), seed=0, dtype=numerics.torch_dtype)
    prompt = list(range(1000, 1040))
    pairs = [
        EncodedPair([*prompt, 1100 + n], [2000 + n + k for k in range(tokens)], [3000 + k for k in range(tokens)])
        for n in range(2)
    ]
    pairs.append(EncodedPair(prompt, pairs[0].chosen, pairs[0].chosen))  # identical likelihood
    stage = run_dpo(policy, pairs, [], DPOSettings(batch_size=3, epochs=1), numerics, tmp_path, seed=0)
    print(f"{dtype}, answers of {tokens} tokens: first margin {stage.first_margin}")
    assert stage.first_margin == 0.0
    assert stage.reference_gap is None
