"""Whether the numbers and words of `results.json` agree with each other."""
