"""How it is shown: one self-contained HTML page built from a run folder."""

from preceptor.report._page import write_report

__all__ = ["write_report"]
