"""Blackbox Qt: a car's black box for the Raspberry Pi 5."""

__version__ = "0.1.0"
