"""From packets to files that survive a power cut, and back. Imports nothing of ours but `core`."""
