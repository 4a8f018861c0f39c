"""Exports: spans of recordings as one file to take along, made as a job beside recording."""
