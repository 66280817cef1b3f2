"""Pairs and right answers in the files of other tools: read into rows, written from them, and what is lost is said."""

from preceptor.preferences.interchange._files import READABLE, WRITABLE, read, write
from preceptor.preferences.interchange._row import Lost, Row

__all__ = ["READABLE", "WRITABLE", "Lost", "Row", "read", "write"]
