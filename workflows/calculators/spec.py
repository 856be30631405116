"""What a calculation is computed with: a frozen description that starts nothing and knows no engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CalculatorSpec:
    """A calculator, by name and settings.

    Attributes:
        name: registered name, such as `pod`, `lammps`, `chgnet` or `ase`.
        overrides: settings of its own, as JSON values.
        models: role to SHA-256 of a file in the store (a potential's coefficients, a user's pair commands).
        code: what decides the numbers beside that: module of the user's to `sha256:…` of its file, installed
            distribution to version, or model that a package brings to `sha256:…` of its weights.
    """

    name: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The description as JSON values, fields at their default left out."""
        document: dict[str, Any] = {"name": self.name}
        if self.overrides:
            document["overrides"] = dict(self.overrides)
        if self.models:
            document["models"] = dict(self.models)
        if self.code:
            document["code"] = dict(self.code)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "CalculatorSpec":
        """The inverse of `to_json`."""
        return cls(**document)
