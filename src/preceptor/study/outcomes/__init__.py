"""What arms are asked beside their task: one file an outcome, found by its name in `also:`."""
