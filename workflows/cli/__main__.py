"""The command line as a module, `python -P -m workflows.cli`: how a detached driver is started."""

from workflows.cli import main

main()
