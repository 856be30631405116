"""User files: models, presets, reading, `--set` overrides, errors that name file, key, value, expectation and fix."""

from collections.abc import Sequence
from pathlib import Path

from workflows.configuration.potassium_diffusion import (
    PRESETS,
    AnalysisSection,
    DislocationSection,
    PotassiumDiffusionConfig,
    StructureSection,
)
from workflows.configuration.resolve import ResolvedConfig, config_sha256, find_input_files, resolve, write_yaml
from workflows.configuration.sections import (
    CalculatorSection,
    ConfigModel,
    DynamicsLimits,
    DynamicsSection,
    GuardSection,
    ResourcesSection,
)

__all__ = [
    "PRESETS",
    "AnalysisSection",
    "CalculatorSection",
    "ConfigModel",
    "DislocationSection",
    "DynamicsLimits",
    "DynamicsSection",
    "GuardSection",
    "PotassiumDiffusionConfig",
    "ResolvedConfig",
    "ResourcesSection",
    "StructureSection",
    "config_sha256",
    "find_input_files",
    "resolve",
    "resolve_config",
    "write_yaml",
]


def resolve_config(
    path: Path | None = None, *, preset: str | None = None, sets: Sequence[str] = ()
) -> ResolvedConfig[PotassiumDiffusionConfig]:
    """The checked configuration of `potassium-diffusion`: defaults, then the preset, then the file, then `--set`.

    Args:
        path: the user's YAML file.
        preset: demo, fast, standard or paper-002; None: the defaults, which are those of standard.
        sets: overrides of the form `section.key=value`, values in YAML.

    Returns:
        The configuration (`.config`) and where it came from (`.provenance()`).

    Raises:
        InputError: with a line for each mistake.
    """
    return resolve(PotassiumDiffusionConfig, presets=PRESETS, path=path, preset=preset, sets=sets)
