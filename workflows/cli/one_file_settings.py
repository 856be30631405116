"""What `--set` may set in the commands on one file, and their help that lists it."""

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

COMMANDS = {"single-point": "single_point", "relax": "relaxation", "md": "molecular_dynamics"}


def find_settings_model(command: str, *, has_electrons: bool = False) -> "type[BaseModel]":
    """The model of what `--set` may set in a command, calculators aside."""
    if command == "md":
        from workflows.configuration.sections import OneFileDynamics

        return OneFileDynamics
    if has_electrons:
        from workflows.cli.one_file_electrons import SETTINGS

        return SETTINGS[command]
    from workflows.jobs.registry import find_recipe

    return find_recipe(COMMANDS[command]).settings


def list_settings(command: str) -> list[str]:
    """One line for each setting of a command: name, default, what it is and its unit; those of calculators below."""
    from workflows.calculators.registry import CHOOSABLE
    from workflows.calculators.wording import IN_ONE_FILE_COMMANDS
    from workflows.configuration.commented import describe_keys

    of_calculators = [
        f"{IN_ONE_FILE_COMMANDS.name(key)}: {what} (calculator {name})"
        for name, entry in CHOOSABLE.items()
        for key, what in entry.overrides.items()
        if key != "factory"
    ]
    of_methods = [] if command == "md" else list(_list_settings_with_electrons(command))
    return [*describe_keys(find_settings_model(command)), *of_calculators, *of_methods]


def _list_settings_with_electrons(command: str) -> "Iterator[str]":
    from workflows.calculators.electronic import find_method
    from workflows.calculators.wording import IN_ONE_FILE_COMMANDS
    from workflows.cli.electronic_plan import WRITTEN_ONLY
    from workflows.cli.one_file_electrons import RUNS_HERE
    from workflows.configuration.commented import describe_keys

    for line in describe_keys(find_settings_model(command, has_electrons=True)):
        yield f"{line} (with electrons)"
    prefix = IN_ONE_FILE_COMMANDS.prefix
    for name in RUNS_HERE:
        for line in describe_keys(find_method(name).settings, prefix=prefix):
            if not line.startswith(tuple(f"{prefix}{key}=" for key in WRITTEN_ONLY)):
                yield f"{line} (calculator {name})"


class CommandWithSettings(TyperCommand):
    """A command whose help ends with what `--set` may set."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 (typer brings its own click, or not)
        """Write the settings, then the examples."""
        formatter.write("\nSettings, each with --set NAME=VALUE:\n")
        for line in list_settings(str(self.name)):
            formatter.write_text(line)
        super().format_epilog(ctx, formatter)
