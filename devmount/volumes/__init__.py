"""Volumes: listed, made, removed, backed up, restored, copied.

A volume's content is read and written as a tar stream through the engine's archive API, on a helper container that
mounts the volume and is never started: no program of its image runs, so any image does. What is half done is written
down on the engine itself, as labels of that helper, and undone by the next command when devmount was killed.
"""
