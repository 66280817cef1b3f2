"""Conversion of preference pairs and right answers from and to other tools' file formats, with a report of losses."""

from preceptor.preferences.interchange._files import read, write
from preceptor.preferences.interchange._row import Lost, Row

__all__ = ["Lost", "Row", "read", "write"]
