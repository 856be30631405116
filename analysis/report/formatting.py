"""How numbers, units and names appear to a reader."""

import math
import re
from typing import Any

ABSENT = "–"
ROUNDING = 1e-9
NARROW = "\u202f"
LARGEST_PLAIN = 1e5
MAX_DECIMALS = 5
SMALLEST_GROUPED = 10_000
# Lengths all have the same decimals, so that a difference is that of the numbers shown.
LENGTH_DECIMALS = 2
SMALLEST_LENGTH_A = 0.01

# Ends of names that are units; the longest match wins.
UNITS = {
    "A": "Å",
    "A2": "Å²",
    "A3": "Å³",
    "nm2": "nm²",
    "per_nm2": "nm⁻²",
    "per_A": "Å⁻¹",
    "per_A2": "Å⁻²",
    "per_A3": "Å⁻³",
    "deg": "°",
    "K": "K",
    "K_per_ps": "K/ps",
    "fs": "fs",
    "ps": "ps",
    "ns": "ns",
    "s": "s",
    "GPa": "GPa",
    "eV": "eV",
    "meV": "meV",
    "eV_per_A": "eV/Å",
    "meV_per_A": "meV/Å",
    "eV_per_atom": "eV/atom",
    "meV_per_atom": "meV/atom",
    "A2_per_ps": "Å²/ps",
    "m2_per_s": "m²/s",
    "kJ_per_mol": "kJ/mol",
    "percent": "%",
    "GB": "GB",
    "GiB": "GiB",
    "MiB": "MiB",
    "e": "e",
}
_RAISED = str.maketrans("-+0123456789", "⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹")
# Symbols and numbers of a formula, then its charge: neither "NH2-MIL" nor "Hirshfeld-" is an ion.
_ION = re.compile(r"(?<![\w-])([A-Z][a-z]?(?=\d?[+-])|(?:[A-Z][a-z]?\d*)+)(\d?[+-])(?![\w+-])")


def split_unit(name: str) -> tuple[str, str]:
    """Split `temperature_K` into ("temperature", "K"); a name without a known unit gives an empty unit."""
    for suffix in sorted(UNITS, key=len, reverse=True):
        stem = name.removesuffix(f"_{suffix}")
        if stem != name and stem:
            return stem, UNITS[suffix]
    return name, ""


def format_label(name: str) -> str:
    """Name of a field as words, without its unit: `frame_every_steps` → "frame every steps"."""
    return split_unit(name)[0].replace("_", " ").strip()


def format_unit(unit: str | None) -> str:
    """Unit as printed: "A" → "Å", "eV/A" → "eV/Å"; what is unknown stays as it is."""
    text = unit or ""
    if text in UNITS:
        return UNITS[text]
    return "/".join("Å" if part == "A" else part for part in text.split("/"))


def format_number(value: object, *, digits: int = 4) -> str:
    """A number with `digits` significant digits and a true minus sign; None becomes an en dash."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ABSENT if value is None else str(value)
    if not math.isfinite(value):
        return ABSENT
    if isinstance(value, int):
        return f"{value:,}".replace(",", NARROW if abs(value) >= SMALLEST_GROUPED else "").replace("-", "−")
    text = f"{value + 0.0:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa} × 10{_superscript(int(exponent))}".replace("-", "−")
    return text.replace("-", "−")


def count_decimals(uncertainty: float) -> int:
    """Decimals at which an uncertainty has two significant digits; negative for tens, hundreds and so on."""
    return 1 - math.floor(math.log10(abs(uncertainty)))


def format_quantity(quantity: dict[str, Any]) -> str:
    """A quantity with its uncertainty to two significant digits and its unit, as in 312 ± 14 K; lengths to 0.01 Å."""
    value, uncertainty = quantity.get("value"), quantity.get("uncertainty")
    unit = format_unit(quantity.get("unit"))
    tail = f"{NARROW}{unit}" if unit and unit != "1" else ""
    if value is None:
        return ABSENT
    if not uncertainty or not math.isfinite(uncertainty):
        plain = (
            _fix(value, decimals=LENGTH_DECIMALS) if _is_length(value, unit=unit) else format_number(value, digits=3)
        )
        return f"{plain}{tail}"
    decimals = LENGTH_DECIMALS if _is_length(uncertainty, unit=unit) else count_decimals(uncertainty)
    if abs(value) >= LARGEST_PLAIN or decimals > MAX_DECIMALS:
        return f"({format_number(value, digits=3)} ± {format_number(uncertainty, digits=2)}){tail}"
    return f"{_fix(value, decimals=decimals)} ± {_fix(uncertainty, decimals=decimals)}{tail}"


def format_interval(quantity: dict[str, Any]) -> str:
    """Interval of a quantity to the same decimals as its uncertainty, "10.1 – 18.3", or a dash."""
    low, high = quantity.get("low"), quantity.get("high")
    if low is None or high is None:
        return ABSENT
    decimals = count_decimals((high - low) / 2) if high > low else MAX_DECIMALS + 1
    if _is_length(high - low, unit=format_unit(quantity.get("unit"))):
        decimals = LENGTH_DECIMALS
    if max(abs(low), abs(high)) >= LARGEST_PLAIN or decimals > MAX_DECIMALS:
        return f"{format_number(low, digits=3)} – {format_number(high, digits=3)}"
    return f"{_fix(low, decimals=decimals)} – {_fix(high, decimals=decimals)}"


def _is_length(number: float, *, unit: str) -> bool:
    """Whether a number is a length that 0.01 Å can show."""
    return unit == "Å" and SMALLEST_LENGTH_A <= abs(number) < LARGEST_PLAIN


def keep_together(text: str) -> str:
    """Put no-break spaces where a line must not end: around ± and between a number and its unit."""
    text = text.replace(" ± ", "\u00a0±\u00a0")
    return re.sub(r"(?<=\d) (?=(?:Å|ps|ns|fs|K|%|eV|meV|GPa|replicas?)(?:\W|$|[²³⁻]))", "\u00a0", text)


def _fix(value: float, *, decimals: int) -> str:
    # Adding zero takes the sign from a negative number that rounds to zero.
    return f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}".replace("-", "−")


def drop_noise(node: Any) -> Any:  # noqa: ANN401 - JSON
    """The same JSON with numbers closer to zero than 10⁻⁹ as zero: what is left of rounding in cells and strains."""
    if isinstance(node, dict):
        return {key: drop_noise(item) for key, item in node.items()}
    if isinstance(node, list | tuple):
        return [drop_noise(item) for item in node]
    return 0.0 if isinstance(node, float) and abs(node) < ROUNDING else node


def format_pair(pair: str) -> str:
    """A pair of elements with an en dash: "K-Bi" → "K–Bi"."""
    return pair.replace("-", "–")


def raise_charges(text: str) -> str:
    """Ions in a text with their charge raised: "TFSI-" → "TFSI⁻", "Ca2+" → "Ca²⁺"; other words stay as they are."""
    return _ION.sub(lambda found: f"{found[1]}{found[2].translate(_RAISED)}", text)


def format_site(label: str) -> str:
    """A site of a species in words: "TFSI- O" → "O of TFSI⁻", "Li+ Li" → "Li⁺", "surface Li" as it is."""
    species, _, site = label.partition(" ")
    name = raise_charges(species)
    if not site or species == "surface":
        return f"{name} {site}".strip()
    return name if site == species.rstrip("+-0123456789") else f"{site} of {name}"


def format_entry(name: str) -> str:
    """Name of an entry in a list of observables: "TFSI- O about surface Li" → "O of TFSI⁻ about surface Li"."""
    site, about, centre = name.partition(" about ")
    return f"{format_site(site)}{about}{format_site(centre)}" if about else format_pair(raise_charges(name))


def join_words(words: list[str]) -> str:
    """Join words as in a sentence: "a", "a and b", "a, b and c"."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def flatten(node: object, *, prefix: str = "") -> list[tuple[str, str]]:
    """Flatten a nested JSON object to rows (label, value with unit); long arrays are summed up by their shape."""
    if isinstance(node, dict):
        if "value" in node and "unit" in node:
            return [(format_label(prefix), format_quantity(node))]
        rows: list[tuple[str, str]] = []
        for key, item in node.items():
            rows += flatten(item, prefix=f"{prefix} · {key}" if prefix else str(key))
        return rows
    label, unit = split_unit(prefix)
    text = _format_value(node)
    if unit and _is_numeric(node):
        text = f"{text}{NARROW}{unit}"
    return [(label.replace("_", " "), text)]


def _is_numeric(node: object) -> bool:
    if isinstance(node, list):
        return bool(node) and all(_is_numeric(item) for item in node)
    return isinstance(node, int | float) and not isinstance(node, bool)


def _format_value(node: object) -> str:
    longest_list = 12
    if isinstance(node, bool):
        return "yes" if node else "no"
    if isinstance(node, list):
        if any(isinstance(item, list | dict) for item in node) or len(node) > longest_list:
            return _format_nested(node)
        return ", ".join(format_number(item) for item in node) if node else ABSENT
    return format_number(node)


def _format_nested(node: list[Any]) -> str:
    smallest_matrix = 3
    if len(node) <= smallest_matrix and all(isinstance(row, list) for row in node):
        return "; ".join(", ".join(format_number(item) for item in row) for row in node)
    return f"{len(node)} entries (in results.json)"


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
