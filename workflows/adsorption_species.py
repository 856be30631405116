"""The species of a run of `tfsi-adsorption`: built, checked against the reactions, and put into one box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structures.box import find_box_lengths, orient_along_axes, put_in_box
from structures.errors import InputError
from structures.reaction import Reaction, check_reaction, parse_reaction
from structures.species import BUILT_IN, ELECTRON, Species, build_from_smiles, build_species, read_species
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig


@dataclass(frozen=True)
class Variant:
    """One set of numerical parameters that all species are computed with.

    Attributes:
        name: of the parameter that is worse than asked for; empty for the answer itself.
        change: in words.
        settings: of the calculator that differ.
        less_vacuum_A: taken from each side of the box, in Å.
    """

    name: str
    change: str
    settings: dict[str, Any]
    less_vacuum_A: float = 0.0


@dataclass(frozen=True)
class Fragment:
    """A reactant as a part of the product.

    Attributes:
        reactant: its name.
        product: name of the product.
        part: its atoms in the product.
    """

    reactant: str
    product: str
    part: slice

    @property
    def name(self) -> str:
        """Name of the energy of the reactant in the shape that it has in the product."""
        return f"{self.reactant} in {self.product}"


@dataclass(frozen=True)
class Term:
    """An energy of a sum.

    Attributes:
        species: what it is the energy of.
        frame: the product that it lies in; None if it stands alone.
        part: its atoms in the frame.
    """

    species: Species
    frame: Species | None = None
    part: slice | None = None

    def place(self, *, lengths_A: NDArray[np.float64] | None) -> Species:
        """In the box that all share: in the middle, or where it lies in the product that is in the middle."""
        if self.frame is None or self.part is None:
            return place(self.species, lengths_A=lengths_A)
        return replace(self.species, atoms=place(self.frame, lengths_A=lengths_A).atoms[self.part])


def build_all_species(config: TfsiAdsorptionConfig) -> dict[str, Species]:
    """Every species of the reactions by name, oriented along the axes.

    Raises:
        InputError: if one is unknown or wrong, or a reaction does not balance.
    """
    species = {}
    for name in config.species_names:
        section = config.species.get(name)
        if section is None:
            built = build_species(name)
        elif section.smiles is not None:
            built = build_from_smiles(
                name, smiles=section.smiles, charge=section.charge, multiplicity=section.multiplicity
            )
        else:
            path, charge = Path(str(section.file)), section.charge or 0
            built = read_species(name, path=path, charge=charge, multiplicity=section.multiplicity)
        species[name] = replace(built, atoms=orient_along_axes(built.atoms))
    unused = [name for name in config.species if name not in species]
    if unused:
        raise InputError(f"species.{unused[0]} is in none of the reactions. Take it out, or name it in one.")
    for reaction in parse_reactions(config):
        check_reaction(reaction, species=species)
    return species


def parse_reactions(config: TfsiAdsorptionConfig) -> list[Reaction]:
    """The reactions of a run."""
    return [parse_reaction(text) for text in config.reactions]


def list_variants(config: TfsiAdsorptionConfig, *, settings: dict[str, Any]) -> tuple[list[Variant], list[str]]:
    """What is computed to estimate the numerical error, and which parameters are left unchecked.

    Args:
        config: of the run.
        settings: of the calculator, all of them.

    Raises:
        InputError: if the energies would not be in open boundaries.
    """
    if settings.get("mode") == "pw":
        raise InputError(
            "calculator.overrides.mode is 'pw', whose periodic images change the energy of an ion: energies need open "
            "boundaries. Set mode: fd, or mode: lcao; relaxations use plane waves by themselves."
        )
    checks, variants, unchecked = config.checks, [Variant("", "", {})], []
    if config.calculator.name == "pyscf":
        if checks.basis is not None and checks.basis != settings["basis"]:
            change = f"basis {checks.basis} in place of {settings['basis']}"
            return [*variants, Variant("basis", change, {"basis": checks.basis})], ["quadrature"]
        return variants, ["basis", "quadrature"]
    if checks.grid_factor > 1:
        worse = round(settings["spacing_A"] * checks.grid_factor, 4)
        variants.append(Variant("grid", f"grid spacing about {worse:g} Å", {"spacing_A": worse}))
    else:
        unchecked.append("grid")
    if checks.box_A > 0:
        change = f"{checks.box_A:g} Å less vacuum on each side"
        variants.append(Variant("box", change, {}, less_vacuum_A=checks.box_A))
    else:
        unchecked.append("box")
    if settings["mode"] == "lcao":
        unchecked.append("basis")
    return variants, unchecked


def find_relaxation_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """What is set otherwise for relaxations."""
    return {"mode": "pw"} if settings.get("mode") == "fd" else {}


def list_relaxation_settings(config: TfsiAdsorptionConfig, *, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is set otherwise for the energies of shapes: as for relaxations, and worse for the check, if there is one.

    Returns:
        "" and, if a check is asked for, ", check" → settings.
    """
    base, factor = find_relaxation_settings(settings), config.checks.grid_factor
    if base:
        worse = {"cutoff_eV": round(settings["cutoff_eV"] / factor**2, 1)} if factor > 1 else {}
    else:
        variants, _ = list_variants(config, settings=settings)
        worse = next((variant.settings for variant in variants if variant.settings), {})
    return {"": base} | ({", check": base | worse} if worse else {})


def find_box(
    config: TfsiAdsorptionConfig, *, species: dict[str, Species], settings: dict[str, Any], less_vacuum_A: float = 0.0
) -> NDArray[np.float64] | None:
    """Edges of the box that all species share, in Å; None for a code that needs none.

    Raises:
        InputError: if the check of the box would leave no vacuum.
    """
    if config.calculator.name == "pyscf":
        return None
    vacuum_A = config.geometry.vacuum_A - less_vacuum_A
    if vacuum_A < 1:
        raise InputError(
            f"checks.box_A is {config.checks.box_A:g} and geometry.vacuum_A {config.geometry.vacuum_A:g}, needs at "
            f"least 1 Å left. Set it, e.g. geometry.vacuum_A: {config.checks.box_A + 3:g}."
        )
    molecules = [one.atoms for one in species.values()]
    return find_box_lengths(molecules, vacuum_A=vacuum_A, spacing_A=settings["spacing_A"])


def place(one: Species, *, lengths_A: NDArray[np.float64] | None) -> Species:
    """The species in the box that all share, or as it is for a code that needs none."""
    return one if lengths_A is None else replace(one, atoms=put_in_box(one.atoms, lengths_A=lengths_A))


def find_fragments(reaction: Reaction, *, species: Mapping[str, Species]) -> list[Fragment]:
    """The reactants as parts of the only product: their atoms in its order, one after the other, all of them together.

    Returns:
        One fragment a reactant; nothing if the reaction is no joining of that kind.
    """
    products = list(reaction.products.items())
    if len(products) != 1 or products[0][1] != 1 or ELECTRON in reaction.coefficients:
        return []
    product = products[0][0]
    numbers, found = species[product].atoms.numbers.tolist(), []
    for name, count in reaction.reactants.items():
        wanted = species[name].atoms.numbers.tolist()
        starts = [i for i in range(len(numbers) - len(wanted) + 1) if numbers[i : i + len(wanted)] == wanted]
        if count != 1 or len(starts) != 1:
            return []
        found.append(Fragment(name, product, slice(starts[0], starts[0] + len(wanted))))
    covered = sorted(index for fragment in found for index in range(fragment.part.start, fragment.part.stop))
    return found if covered == list(range(len(numbers))) else []


def list_terms(reactions: Sequence[Reaction], *, species: Mapping[str, Species]) -> dict[str, Term]:
    """Every energy that is computed on the grid, by name.

    Where reactants join to one product, each is computed where it lies in it: the error of a grid, which depends on
    where the atoms lie on it, then cancels. What it costs to bend them into that shape is computed apart.
    """
    terms: dict[str, Term] = {}
    for reaction in reactions:
        fragments = find_fragments(reaction, species=species)
        for fragment in fragments:
            product = species[fragment.product]
            own = replace(
                species[fragment.reactant],
                name=fragment.name,
                atoms=product.atoms[fragment.part],
                source=f"as in {fragment.product}",
            )
            terms[fragment.name] = Term(own, frame=product, part=fragment.part)
        alone = reaction.products if fragments else reaction.coefficients
        terms |= {name: Term(species[name]) for name in alone if name != ELECTRON}
    return terms


def is_shipped(name: str, *, config: TfsiAdsorptionConfig) -> bool:
    """Whether a species' geometry is one that alkaliflow brings."""
    return name in BUILT_IN and name not in config.species
