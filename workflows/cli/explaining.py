"""What a person sees when something goes wrong: the mistake and its fix; a traceback for bugs only."""

import errno
import functools
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import typer

from structures.errors import AlkaliflowError, InputError

EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_BUG = 70
EXIT_STOPPED = 130
_STORAGE_TROUBLE = {
    errno.ENOSPC: "The disk is full. Free some space, then run the same command again.",
    errno.EDQUOT: "Your quota is used up. Free some space, then run the same command again.",
    errno.EROFS: "The file system is read-only. Choose another place with --workdir or --store.",
}


def explained(command: Callable[..., None]) -> Callable[..., None]:
    """A command that turns exceptions into messages and exit codes."""

    @functools.wraps(command)
    def wrapped(*args: object, **options: object) -> None:
        try:
            command(*args, **options)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise  # typer's own way of ending
        except InputError as error:
            typer.echo(_paint(str(error)), err=True)
            raise typer.Exit(EXIT_INPUT) from None
        except AlkaliflowError as error:
            typer.echo(_paint(str(error)), err=True)
            raise typer.Exit(EXIT_FAILED) from None
        except KeyboardInterrupt:
            typer.echo("\nStopped.", err=True)
            raise typer.Exit(EXIT_STOPPED) from None
        except Exception as error:  # noqa: BLE001 (the last place that can tell what to do)
            _explain_unexpected(error)

    return wrapped


def format_examples(lines: str) -> str:
    """Examples for the end of a help text: never wrapped, so that they work when pasted."""
    return "\b\nTry:\n" + "\n".join(f"  {line}" for line in lines.strip().splitlines())


def _explain_unexpected(error: Exception) -> NoReturn:
    if isinstance(error, OSError) and error.errno in _STORAGE_TROUBLE:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(_paint(f"{where}{_STORAGE_TROUBLE[error.errno]} Nothing that was finished is lost."), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    traceback.print_exception(error)
    command = " ".join(["alkaliflow", *sys.argv[1:]])
    typer.echo(
        "\nThis is a bug in alkaliflow, not a mistake of yours. What is in the store is safe.\n"
        "Please report it in the project's issue tracker with the traceback above, this command and the output of\n"
        f"`alkaliflow doctor`:\n  {command}",
        err=True,
    )
    raise typer.Exit(EXIT_BUG) from None


def _paint(text: str) -> str:
    return typer.style(text, fg="red") if sys.stderr.isatty() else text
