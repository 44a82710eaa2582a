"""The commands: parse, wire the rooms together, and print an error in one place."""
