"""What raters of a study are shown."""
