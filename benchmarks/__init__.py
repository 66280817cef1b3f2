"""Programs that measure; each prints a table, or rows with `--json`."""

from preceptor.openmp import limit_spinning

limit_spinning()  # as the commands do, before anything imports torch
