"""What a calculation is computed with: a frozen description that starts nothing and knows no engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CalculatorSpec:
    """A calculator, by name and settings.

    Attributes:
        name: registered name, such as `pod`, `lammps`, `chgnet` or `ase`.
        protocol: one of `fast`, `moderate`, `precise`.
        overrides: settings that differ from the protocol's, as JSON values.
        models: role to SHA-256 of a file in the store (a potential's coefficients, a user's pair commands).
        code: the user's code that decides the numbers: module to `sha256:…` of its file, or installed distribution to
            version.
    """

    name: str
    protocol: str = "moderate"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The description as JSON values, fields at their default left out."""
        document: dict[str, Any] = {"name": self.name}
        if self.protocol != "moderate":
            document["protocol"] = self.protocol
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
