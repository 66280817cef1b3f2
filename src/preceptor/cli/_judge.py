"""`preceptor judge`: say which of two files of predictions is better, with a study's statistics."""

from typing import Annotated

import typer

from preceptor.cli._say import AsJson, beside_json, print_json, say
from preceptor.files import expanded, is_file


def judge(
    a: Annotated[
        str, typer.Argument(metavar="A", help="A file of predictions; of several seeds, with commas between them.")
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="The file or files that A is judged against, of the same cases.")
    ],
    metric: Annotated[str, typer.Option(help="A metric that a task file may name.")],
    group: Annotated[
        str | None,
        typer.Option(help="The patient of each case: a column, a file with `id` and `group`, or `each row`."),
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(help="Right answers: a column, or a file with `id` and `gold`; default: column `gold`."),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="The least difference that matters, in the metric's unit.")
    ] = None,
    answer: Annotated[str, typer.Option(help="The column of the answers.")] = "answer",
    score: Annotated[str, typer.Option(help="The column of the scores.")] = "score",
    separator: Annotated[
        str | None, typer.Option(help="What stands between two labels, where answers are sets of them.")
    ] = None,
    empty: Annotated[str | None, typer.Option(help="Of sets: the word for no label.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two files of predictions for the same cases: interval, test and verdict. Trains nothing."""
    from preceptor.comparison import compare_predictions

    found = compare_predictions(
        _files(a),
        _files(b),
        metric=metric,
        group=group,
        gold=gold,
        margin=margin,
        answer=answer,
        score=score,
        separator=separator,
        empty=empty,
    )
    say(str(found), to=beside_json(as_json))
    if as_json:
        print_json(found)


def _files(text: str) -> str | list[str]:
    """One file, or one for each seed."""
    return text if "," not in text or is_file(expanded(text)) else text.split(",")
