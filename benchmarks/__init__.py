"""What the program costs, beside ffmpeg and GStreamer; see README.md here. Run by `./dev bench`."""
