"""Answers to label tasks: every label is scored behind the prompt, and nothing has to be read out of free text."""
