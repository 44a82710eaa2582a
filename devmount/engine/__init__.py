"""The container engine: the one room that imports the SDK."""
