"""How it is shown: one self-contained HTML page built from a run folder, two side by side, model cards, and short forms
for a terminal and a notebook.
"""

from preceptor.report._card import model_card, write_cards
from preceptor.report._compare import compare_page, write_comparison
from preceptor.report._compare_figures import ComparisonFigures, comparison_figures
from preceptor.report._notebook import results_html
from preceptor.report._page import write_report
from preceptor.report._results_table import show_results
from preceptor.report._run import read_run

__all__ = [
    "ComparisonFigures",
    "compare_page",
    "comparison_figures",
    "model_card",
    "read_run",
    "results_html",
    "show_results",
    "write_cards",
    "write_comparison",
    "write_report",
]
