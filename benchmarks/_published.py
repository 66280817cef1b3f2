"""What others published and our results stand beside: the main paper's figures, and whose data the examples use."""

from dataclasses import dataclass

PAPER = (
    "Savage, Ma, Boukil, Rangan, Patel, Lopez, Chen. Fine-Tuning Methods for Large Language Models in "
    "Clinical Medicine by Supervised Fine-Tuning and Direct Preference Optimization: Comparative Evaluation. "
    "J Med Internet Res 2025;27:e76048 (arXiv 2409.12741)"
)


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One line of the paper's table, as printed there: a model before tuning, after SFT, after SFT and DPO."""

    model: str
    metric: str
    base: str
    sft: str
    dpo: str
    p: str
    """DPO against SFT."""


_LLAMA, _MISTRAL = "Llama3-8B", "Mistral-7B v2"

PAPER_ROWS: dict[str, tuple[PaperRow, ...]] = {
    "text_classification": (
        PaperRow(_LLAMA, "F1", ".63", ".98", ".95", ".55"),
        PaperRow(_MISTRAL, "F1", ".73", ".97", ".97", ">.99"),
    ),
    "numeric_classification": (
        PaperRow("both", "F1 (arXiv version only)", ".18", "not effective", "not effective", "not given"),
    ),
    "clinical_reasoning": (
        PaperRow(_LLAMA, "accuracy", "7%", "28%", "36%", ".003"),
        PaperRow(_MISTRAL, "accuracy", "22%", "33%", "40%", ".004"),
    ),
    "summarization": (
        PaperRow(_LLAMA, "Likert 1-5", "4.11", "4.21", "4.34", "<.001"),
        PaperRow(_MISTRAL, "Likert 1-5", "3.93", "3.98", "4.08", "<.001"),
    ),
    "triage_provider": (
        PaperRow(_LLAMA, "F1", ".55", ".58", ".74", "<.001"),
        PaperRow(_MISTRAL, "F1", ".49", ".52", ".66", "<.001"),
    ),
    "triage_urgency": (
        PaperRow(_LLAMA, "F1", ".81", ".79", ".91", "<.001"),
        PaperRow(_MISTRAL, "F1", ".88", ".87", ".85", ">.99"),
    ),
}
"""By built-in task: the paper's five tasks are six outputs."""

_MTS_DIALOG = "MTS-Dialog. Ben Abacha A et al., EACL 2023:2291-2302. CC BY 4.0"

CREDITS: dict[str, str] = {
    "abbreviations": (
        "Medical-Abstracts. Schopf T et al., NLPIR 2022; asked after Wen Z et al., ClinicalNLP 2020 "
        "(arXiv 2012.13978). CC BY-SA 3.0"
    ),
    "codiesp_chapters": (
        "CodiEsp. Miranda-Escalada A et al., CLEF 2020; asked after Gema A et al. (arXiv 2307.03042). CC BY 4.0"
    ),
    "craft_md": "CRAFT-MD. Johri S et al., Nat Med 2025;31:77-86. MIT",
    "hcv_labs": "HCV data, UCI data set 571. Hoffmann G et al., J Lab Precis Med 2018;3:58. CC BY 4.0",
    "ktas_triage": "KTAS triage. Moon SH et al., PLOS ONE 2019;14(9):e0216972. CC BY 4.0",
    "medec_ms": "MEDEC, MS subset. Ben Abacha A et al., Findings of ACL 2025. CC BY 4.0",
    "medication": "MIMIC-III Clinical Database Demo 1.4. Johnson AEW et al., Sci Data 2016;3:160035. ODbL 1.0",
    "mts_dialog_section": _MTS_DIALOG,
    "mts_dialog_summarization": _MTS_DIALOG,
    "pubmedqa": "PubMedQA. Jin Q et al., EMNLP-IJCNLP 2019:2567-2577. MIT",
    "sepsis2019": (
        "PhysioNet/Computing in Cardiology Challenge 2019. Reyna MA et al., Crit Care Med 2020;48(2):210-217. ODbL 1.0"
    ),
    "specialty": "MTSamples, mtsamples.com; asked after Solomou C, 2023 (arXiv 2312.05585). CC0",
}
"""By task in `examples/`: set, publication, licence."""
