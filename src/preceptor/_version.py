"""The version, apart from the package's front, which names rooms on upper floors."""

__version__ = "0.1.0"
