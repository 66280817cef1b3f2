"""Generators of built-in cases: one file a task, each with `draw(rng, side)` and `generate(count, seed)`."""
