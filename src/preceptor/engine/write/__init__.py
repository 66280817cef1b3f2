"""Answers: generation, and scores of given candidates."""
