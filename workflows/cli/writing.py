"""Commands that write files for people and programs: init, inputs, schema."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from structures.errors import InputError
from workflows.flows import FLOWS, find_flow


def init(
    flow: Annotated[str, typer.Argument(help=f"Which flow: {', '.join(FLOWS)}.")],
    *,
    preset: Annotated[str | None, typer.Option("--preset", help="Values to write. Default: the defaults.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write. Default: print it.")] = None,
) -> None:
    """Write a commented configuration with every key, its unit and its default."""
    from workflows.configuration.commented import write_commented_yaml

    entry = find_flow(flow)
    config = entry.resolve(preset=preset).config
    text = write_commented_yaml(config, flow=flow, preset=preset or entry.default_preset, notes=entry.preset_notes())
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError(f"{output}: exists, needs a new name. Choose another with -o, or remove it.") from None
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}). Choose another with -o.") from None
    typer.echo(f"Wrote {output}. Try it with: alkaliflow run {flow} {output} --dry-run")


def inputs(
    config: Annotated[Path | None, typer.Argument(help="User file of tfsi-adsorption. Default: the preset.")] = None,
    *,
    code: Annotated[str, typer.Option("--code", help="vasp, espresso or cp2k.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="New directory for the inputs.")],
    protocol: Annotated[
        str, typer.Option("--protocol", help="fast, moderate, precise; vasp also zhen-2025, wu-2025.")
    ] = "moderate",
    preset: Annotated[str | None, typer.Option("--preset", help="Preset of tfsi-adsorption.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Override of the configuration, e.g. geometry.relax=false.")
    ] = None,
) -> None:
    """Write the inputs of a code that runs elsewhere, for every species of tfsi-adsorption's reactions."""
    from workflows.adsorption_inputs import write_all_inputs

    resolved = find_flow("tfsi-adsorption").resolve(path=config, preset=preset, sets=sets or ())
    model: Any = resolved.config
    written = write_all_inputs(model, code=code, protocol=protocol, overrides={}, directory=output)
    for folder, files in written.items():
        typer.echo(f"{output / folder}: {', '.join(path.name for path in files)}")
    typer.echo(f"{output / 'reactions.txt'} says what is to be subtracted from what.")


def schema(
    what: Annotated[
        str | None, typer.Argument(help="A flow, for its configuration, or: results. Default: all.")
    ] = None,
) -> None:
    """Print the JSON Schema of configurations and of results.json."""
    typer.echo(json.dumps(_build_schema(what), indent=1))


def _build_schema(what: str | None) -> dict[str, Any]:
    from analysis.results import build_results_schema

    if what == "results":
        return build_results_schema()
    if what is not None:
        return _config_schema(what)
    return {"config": {name: _config_schema(name) for name in FLOWS}, "results": build_results_schema()}


def _config_schema(flow: str) -> dict[str, Any]:
    from workflows.sweep_axes import SECTION

    schema = find_flow(flow).config_model().model_json_schema()
    values = {"anyOf": [{"type": "array", "minItems": 1}, {"type": "string", "pattern": r"^[-+]?\d+\.\.[-+]?\d+$"}]}
    schema["properties"][SECTION] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": values,
        "description": "a run for each combination of values: section.key: [1, 2, 3] or 1..5; for alkaliflow run",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
