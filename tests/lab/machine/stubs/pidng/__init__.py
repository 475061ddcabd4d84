"""Stands in for PiDNG, which has no wheel: the lab's cameras give no raw picture that it could write."""
