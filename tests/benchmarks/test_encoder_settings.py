"""How the encoder should learn is asked of validation cases alone. On a tiny encoder, in float32."""

from pathlib import Path

import pytest
from benchmarks.encoder_settings import SETTINGS, tried


@pytest.mark.parametrize("name", ["rate-1e-3", "head"])
def test_a_setting_is_trained_and_measured(name: str, tiny_encoder_folder: Path) -> None:
    setting = SETTINGS[name] | {"epochs": 1}
    said = tried("triage_provider", 8, setting, model=str(tiny_encoder_folder), validation=8)
    assert said.startswith("macro_f1 0.")
    assert len(said.partition("losses ")[2].partition(",")[0].split()) == 1
