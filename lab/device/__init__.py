"""The program inside a lab camera. It runs on Debian's own Python, with GStreamer and nothing of the platform."""
