"""The main paper's results, to stand beside a study's own: other data, other models.

Savage et al., J Med Internet Res 2025;27:e76048, arXiv 2409.12741.
"""

from dataclasses import dataclass

CITATION = (
    "Savage, Ma, Boukil, Rangan, Patel, Lopez, Chen: Fine-Tuning Methods for Large Language Models in Clinical "
    "Medicine by Supervised Fine-Tuning and Direct Preference Optimization: Comparative Evaluation. "
    "J Med Internet Res 2025;27:e76048"
)


@dataclass(frozen=True)
class Published:
    """One line of the paper's table, its numbers as printed there; `p` compares DPO with SFT."""

    task: str
    model: str
    base: str
    sft: str
    dpo: str
    p: str


PUBLISHED = (
    Published("Text classification (F1)", "Llama3 8B", ".63", ".98", ".95", ".55"),
    Published("Text classification (F1)", "Mistral 7B v2", ".73", ".97", ".97", "> .99"),
    Published("Numeric classification (F1)", "both", ".18", "not effective", "not effective", "not given"),
    Published("Clinical reasoning (accuracy)", "Llama3 8B", "7%", "28%", "36%", ".003"),
    Published("Clinical reasoning (accuracy)", "Mistral 7B v2", "22%", "33%", "40%", ".004"),
    Published("Summarization (Likert, 1 to 5)", "Llama3 8B", "4.11", "4.21", "4.34", "< .001"),
    Published("Summarization (Likert, 1 to 5)", "Mistral 7B v2", "3.93", "3.98", "4.08", "< .001"),
    Published("Provider triage (F1)", "Llama3 8B", ".55", ".58", ".74", "< .001"),
    Published("Provider triage (F1)", "Mistral 7B v2", ".49", ".52", ".66", "< .001"),
    Published("Urgency triage (F1)", "Llama3 8B", ".81", ".79", ".91", "< .001"),
    Published("Urgency triage (F1)", "Mistral 7B v2", ".88", ".87", ".85", "> .99"),
)
