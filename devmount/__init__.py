"""devmount: run a project's code in a container and reload it at every save."""

__version__ = "0.1.0"
