"""Looks at the machine: what is well, what needs a look, what is broken, and what to do about it.

A probe is a small function from a Case (machine, configuration) to a Finding. It never changes anything but a file of
its own in the data folder, which it removes.
"""
