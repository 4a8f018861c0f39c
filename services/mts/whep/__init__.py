"""Live pictures by WebRTC: a process of its own, and (`wire`) what it and DSS_MTS say to each other."""
