"""Preceptor: fine-tune by example and by preference, and say with honest statistics which is worth it."""

__version__ = "0.1.0"
