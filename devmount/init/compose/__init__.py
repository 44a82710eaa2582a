"""Compose files: read with their lines, put together, carried over into the words of the project file."""
