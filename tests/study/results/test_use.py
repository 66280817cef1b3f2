"""The bytes of the weights that must be loaded to use an arm."""

from pathlib import Path

import torch

from preceptor.models import ModelSource, load_policy
from preceptor.study.results.use import bytes_to_load


def test_of_first_layers_those_of_later_ones_are_not_counted(encoder_source: ModelSource) -> None:
    whole, one = bytes_to_load(encoder_source, None), bytes_to_load(encoder_source.first_layers(1), None)
    kept = load_policy(encoder_source.first_layers(1), None, dtype=torch.float32).model
    pooler = 4 * (48 * 48 + 48)  # stands in the file, and is not used
    assert one == sum(weight.nbytes for weight in kept.parameters()) + pooler
    assert one < whole == sum(file.stat().st_size for file in Path(encoder_source.location).glob("*.safetensors"))
