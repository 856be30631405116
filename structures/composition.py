"""How many molecules of each species a liquid holds: counts, concentrations and densities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ase import units

from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from structures.species import Species

ShareBy = Literal["mole", "mass", "volume"]
U_PER_A3_IN_G_PER_CM3 = units._amu * 1e27  # noqa: SLF001 ase's public table of constants has no other name for it
MOL_PER_L_IN_PER_A3 = units.mol * 1e-27


@dataclass(frozen=True, eq=False)
class Salt:
    """A neutral formula unit.

    Attributes:
        name: e.g. LiTFSI.
        ions: each with its number in the formula.
    """

    name: str
    ions: tuple[tuple[Species, int], ...]


@dataclass(frozen=True, eq=False)
class Solvent:
    """A part of a mixture of solvents.

    Attributes:
        species: neutral molecule.
        share: of the mixture, in any unit; shares are divided by their sum.
        density_g_per_cm3: of the pure liquid; needed for shares by volume.
    """

    species: Species
    share: float
    density_g_per_cm3: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Composition:
    """Whole numbers of molecules near to what was asked, and what they amount to.

    Attributes:
        molecules: species and their numbers: ions of the salts, then solvents.
        volume_A3: that they fill at the density, in Å³.
        density_g_per_cm3: of the solution.
        concentrations_mol_per_L: achieved, of each salt.
        shares: achieved, of each solvent in the mixture of solvents, by mole, mass or volume as asked; add up to 1.
    """

    molecules: tuple[tuple[Species, int], ...]
    volume_A3: float
    density_g_per_cm3: float
    concentrations_mol_per_L: Mapping[str, float]
    shares: Mapping[str, float]


def compute_mass_u(molecules: Sequence[tuple[Species, int]]) -> float:
    """Mass of so many molecules, in u."""
    return float(sum(count * species.atoms.get_masses().sum() for species, count in molecules))


def compute_density_g_per_cm3(molecules: Sequence[tuple[Species, int]], *, volume_A3: float) -> float:
    """Mass density of molecules in a volume, in g/cm³."""
    return compute_mass_u(molecules) / volume_A3 * U_PER_A3_IN_G_PER_CM3


def compute_concentration_mol_per_L(count: int, *, volume_A3: float) -> float:
    """Molar concentration of a number of molecules in a volume, in mol/L."""
    return count / volume_A3 / MOL_PER_L_IN_PER_A3


def find_volume_A3(molecules: Sequence[tuple[Species, int]], *, density_g_per_cm3: float) -> float:
    """Volume that molecules fill at a density, in Å³.

    Raises:
        InputError: if the density is not above 0, or there are no molecules.
    """
    if not density_g_per_cm3 > 0:
        raise InputError(f"density_g_per_cm3 is {density_g_per_cm3:g}, needs more than 0. Set it, e.g. 1.5 for LiTFSI.")
    check_counts(molecules)
    return compute_mass_u(molecules) / density_g_per_cm3 * U_PER_A3_IN_G_PER_CM3


def find_height_A(
    molecules: Sequence[tuple[Species, int]], *, density_g_per_cm3: float, area_A2: float, excluded_A3: float = 0.0
) -> float:
    """Height that molecules fill at a density over an area.

    Args:
        molecules: species and their numbers.
        density_g_per_cm3: of what they fill.
        area_A2: lateral area of the cell, in Å².
        excluded_A3: part of the height's volume that they cannot reach, in Å³.

    Returns:
        Height in Å, what is excluded added.

    Raises:
        InputError: if the density is not above 0, or there are no molecules.
    """
    return (find_volume_A3(molecules, density_g_per_cm3=density_g_per_cm3) + excluded_A3) / area_A2


def check_counts(molecules: Sequence[tuple[Species, int]]) -> None:
    """Raise if numbers of molecules are below 0 or add up to none.

    Raises:
        InputError: names the species.
    """
    for species, count in molecules:
        if count < 0:
            raise InputError(f"{count} molecules of {species.name} were asked for, needs 0 or more.")
    if sum(count for _, count in molecules) == 0:
        raise InputError("The electrolyte has 0 molecules, needs at least 1. Raise a count or a concentration.")


def check_neutral(molecules: Sequence[tuple[Species, int]]) -> None:
    """Raise if the charges of molecules do not add up to exactly 0.

    Raises:
        InputError: with the sum, and the counts of which ion would mend it.
    """
    total = sum(species.charge * count for species, count in molecules)
    if total == 0:
        return
    terms = " ".join(f"{species.charge * count:+d} e ({count} {species.name})" for species, count in molecules)
    fixes = [
        f"{species.name}: {count - total // species.charge}"
        for species, count in molecules
        if species.charge and total % species.charge == 0 and count >= total // species.charge
    ]
    advice = f"Set {' or '.join(fixes)}." if fixes else "Add counter-ions."
    raise InputError(f"The charges of the electrolyte add up to {total:+d} e, needs exactly 0: {terms}. {advice}")


def count_molecules(
    salts: Sequence[tuple[Salt, float]],
    *,
    solvents: Sequence[Solvent],
    volume_A3: float,
    density_g_per_cm3: float,
    share_by: ShareBy = "mole",
) -> Composition:
    """Whole numbers of ions and solvent molecules of a solution.

    Of each salt n = c V; the solvents are what is left of the mass ρ V. As the numbers are whole, the volume that they
    fill at the density, the concentrations and the shares are near to those asked for, and returned.

    Args:
        salts: each with its concentration in mol per litre of solution.
        solvents: the mixture; none: a neat salt.
        volume_A3: about what the solution is to fill, in Å³.
        density_g_per_cm3: of the solution.
        share_by: what the shares of the solvents count.

    Raises:
        InputError: if a salt is charged, a concentration or a volume is so small that no formula unit is left, the
            salts alone are heavier than the solution, or shares or densities are missing.
    """
    if not (volume_A3 > 0 and density_g_per_cm3 > 0):
        raise InputError(f"volume_A3 is {volume_A3:g} and density_g_per_cm3 {density_g_per_cm3:g}, needs both above 0.")
    counts = [(salt, _count_units(salt, concentration, volume_A3=volume_A3)) for salt, concentration in salts]
    ions: dict[str, tuple[Species, int]] = {}
    for salt, n in counts:
        for species, number in salt.ions:
            ions[species.name] = (species, ions.get(species.name, (species, 0))[1] + n * number)
    molecules = list(ions.values())
    left_u = volume_A3 * density_g_per_cm3 / U_PER_A3_IN_G_PER_CM3 - compute_mass_u(molecules)
    if solvents:
        molecules += _count_solvents(solvents, mass_u=left_u, share_by=share_by, density_g_per_cm3=density_g_per_cm3)
    filled_A3 = find_volume_A3(molecules, density_g_per_cm3=density_g_per_cm3)
    return Composition(
        molecules=tuple(molecules),
        volume_A3=filled_A3,
        density_g_per_cm3=density_g_per_cm3,
        concentrations_mol_per_L={
            salt.name: compute_concentration_mol_per_L(n, volume_A3=filled_A3) for salt, n in counts
        },
        shares=_compute_shares(solvents, [n for _, n in molecules[len(ions) :]], share_by=share_by),
    )


def _compute_shares(solvents: Sequence[Solvent], counts: Sequence[int], *, share_by: ShareBy) -> dict[str, float]:
    """Share of each solvent in the mixture of so many molecules."""
    weights = _find_weights(solvents, share_by=share_by)
    amounts = [count / weight for count, weight in zip(counts, weights, strict=True)]
    return {one.species.name: amount / sum(amounts) for one, amount in zip(solvents, amounts, strict=True)}


def _count_units(salt: Salt, concentration: float, *, volume_A3: float) -> int:
    """Formula units of a salt in a volume, at least one."""
    charge = sum(species.charge * number for species, number in salt.ions)
    if charge != 0:
        raise InputError(
            f"The ions of {salt.name} add up to {charge:+d} e, needs exactly 0. Mend their numbers in its formula."
        )
    units_asked = concentration * volume_A3 * MOL_PER_L_IN_PER_A3
    count = round(units_asked)
    if not concentration > 0 or count < 1:
        least_A3 = 1 / (concentration * MOL_PER_L_IN_PER_A3) if concentration > 0 else float("inf")
        raise InputError(
            f"{concentration:g} mol/L of {salt.name} in {volume_A3:.0f} Å³ is {units_asked:.2f} formula units, needs "
            f"at least 1. Take {least_A3:.0f} Å³ or more, a higher concentration, or leave the salt out."
        )
    return count


def _find_weights(solvents: Sequence[Solvent], *, share_by: ShareBy) -> list[float]:
    """Molecules of each solvent in a unit of its share."""
    weights = []
    for solvent in solvents:
        mass_u = compute_mass_u([(solvent.species, 1)])
        if not solvent.share > 0:
            raise InputError(f"share of {solvent.species.name} is {solvent.share:g}, needs more than 0.")
        if share_by == "volume" and not solvent.density_g_per_cm3:
            raise InputError(
                f"density_g_per_cm3 of pure {solvent.species.name} is not given, which shares by volume need. Give it, "
                "or shares by mole or mass."
            )
        weights.append(
            {"mole": 1.0, "mass": 1 / mass_u, "volume": (solvent.density_g_per_cm3 or 0.0) / mass_u}[share_by]
        )
    return weights


def _count_solvents(
    solvents: Sequence[Solvent], *, mass_u: float, share_by: ShareBy, density_g_per_cm3: float
) -> list[tuple[Species, int]]:
    if mass_u <= 0:
        raise InputError(
            f"The salts are heavier than the solution at {density_g_per_cm3:g} g/cm³ by {-mass_u:.0f} u, which leaves "
            "no solvent. Lower the concentrations, or raise density_g_per_cm3."
        )
    weights = _find_weights(solvents, share_by=share_by)
    amounts = [solvent.share * weight for solvent, weight in zip(solvents, weights, strict=True)]
    mean_u = sum(amount * compute_mass_u([(one.species, 1)]) for one, amount in zip(solvents, amounts, strict=True))
    counts = [(one.species, round(amount * mass_u / mean_u)) for one, amount in zip(solvents, amounts, strict=True)]
    for species, count in counts:
        if count < 1:
            raise InputError(f"The mixture holds {count} molecules of {species.name}, needs 1. Enlarge the volume.")
    return counts
