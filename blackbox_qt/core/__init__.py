"""The words of the program: frames, mailboxes, packets, clocks. Imports nothing of ours."""
