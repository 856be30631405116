"""How the settings of a calculator are spelled where a user named it, so that a message's fix works as it stands."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """Spelling of one place.

    Attributes:
        choose: names another calculator; `{}` is its name.
        potential: what the potential is called.
        prefix: what stands before an override in `--set`; empty where there is no `--set`.
        protocol: what the protocol is called.
    """

    choose: str = "calculator {}"
    potential: str = "calculator.potential"
    prefix: str = ""
    protocol: str = "calculator.protocol"

    def name(self, key: str) -> str:
        """An override, as it is called there."""
        return f"{self.prefix or 'overrides.'}{key}"

    def set(self, key: str, value: str) -> str:
        """How to set an override to a value, written in YAML."""
        if not self.prefix:
            return f"overrides: {{{key}: {value}}}"
        return f"--set {shlex.quote(f'{self.prefix}{key}={value}')}"


IN_PYTHON = Wording()
IN_ONE_FILE_COMMANDS = Wording("--calculator {}", "--potential", "calculator.", protocol="--protocol")
IN_FLOWS = Wording("--set calculator.name={}", "calculator.potential", "calculator.overrides.")
AS_TEACHER = Wording("--set teacher.name={}", "teacher.overrides.factory", "teacher.overrides.")
