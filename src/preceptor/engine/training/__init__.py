"""The training stages, on transformers' Trainer, with checkpoints that are whole or absent."""
