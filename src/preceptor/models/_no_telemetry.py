"""Tell the Hugging Face libraries to report nothing. Imported before any of them: they read this once, at import."""

import os

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"
