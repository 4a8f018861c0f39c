"""Footage that the camera kept itself while this node could not: noted, fetched, put into the archive."""
