"""Programs that measure; each prints a table, or rows with `--json`."""
