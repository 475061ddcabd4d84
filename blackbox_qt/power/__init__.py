"""Switching the box off, safely and in time: the ignition's line, the decision, the call that does it."""
