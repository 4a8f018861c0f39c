"""The program inside a lab camera. It needs Debian's Python and GStreamer, nothing of the platform."""
