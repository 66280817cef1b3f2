"""How p-values were adjusted, in words: by the rules of the version that wrote the results."""

from preceptor.study.results.schema import Results


def adjustment(results: Results) -> str:
    """`by Holm's method over ...`, to stand behind "p-values were adjusted"."""
    if results.older:
        return "by Holm's method over all contrasts of the study"
    if not any(contrast.adjustment == "closed" for contrast in results.contrasts if contrast.family == "primary"):
        primary = "by Holm's method over the primary contrasts of all tasks"
    else:
        primary = (
            "by closed testing over the primary contrasts, those of a task being one question (Simes's test within a "
            "question, Bonferroni's over questions)"
        )
    simpler = any(contrast.family == "gatekeeping" for contrast in results.contrasts)
    gates = ", by Holm's over those with simpler ways" if simpler else ""
    return f"{primary}{gates} and by Benjamini and Hochberg's over the others"
