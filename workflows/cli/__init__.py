"""The command line `alkaliflow`. Heavy packages are imported inside the commands, so that help comes at once."""

from workflows.cli.application import app, main

__all__ = ["app", "main"]
