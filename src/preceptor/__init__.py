"""Preceptor: fine-tune by example and by preference, and say with honest statistics which is worth it."""

import os

# Before any room imports a Hugging Face library, which reads these once.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

__version__ = "0.1.0"
