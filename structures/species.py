"""Species of a reaction: atoms with a charge and a spin; the built-in ones, and the user's own."""

from __future__ import annotations

import difflib
import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list

from structures.checks import compute_smallest_distance
from structures.errors import InputError, SetupError
from structures.files import read_structure
from structures.ghosts import find_ghosts
from structures.species_library import LIBRARY, BuiltIn, spread_moments

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ELECTRON = "e-"
BUILT_IN: dict[str, BuiltIn] = LIBRARY
_MOMENT_TOLERANCE = 1e-6  # in μB
_LONGEST_BOND = 1.2  # times the sum of covalent radii
SHORTEST_DISTANCE_A = 0.6  # below any bond: H2 has 0.74


@dataclass(frozen=True, eq=False)
class Species:
    """What takes part in a reaction.

    Attributes:
        name: as reactions name it; the charge is told by its ending for people only.
        atoms: geometry.
        charge: in e.
        multiplicity: 2 S + 1.
        source: where the geometry is from, in words.
        starting_moments: name of an arrangement of spins → moment of each atom to start from, in μB, shape (n_atoms,);
            each adds up to multiplicity − 1, so that of a broken-symmetry singlet to 0.
    """

    name: str
    atoms: Atoms
    charge: int = 0
    multiplicity: int = 1
    source: str = ""
    starting_moments: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def n_electrons(self) -> int:
        """Electrons of the neutral atoms less the charge; ghosts have none."""
        return int(self.atoms.numbers[~find_ghosts(self.atoms)].sum()) - self.charge


def describe_built_in() -> dict[str, str]:
    """Name and meaning of the built-in species."""
    return {name: entry.meaning for name, entry in BUILT_IN.items()}


def build_species(name: str) -> Species:
    """A built-in species.

    Raises:
        InputError: if there is none of that name; names the nearest.
    """
    if name not in BUILT_IN:
        near = difflib.get_close_matches(name, BUILT_IN, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InputError(
            f"There is no built-in species {name!r}, needs one of {', '.join(BUILT_IN)}.{hint} Or define it under "
            "species: with a file or a SMILES."
        )
    entry = BUILT_IN[name]
    if entry.element:
        atoms, source = Atoms(entry.element), "an atom"
    elif entry.build is not None:
        atoms, source = entry.build(), "built from usual bond lengths and symmetry"
    else:
        path = files("structures").joinpath("molecules").joinpath(entry.file)
        atoms, source = read_structure(str(path)), f"shipped geometry {entry.file}"
    moments = {
        arrangement: spread_moments(atoms, moments=of_elements) for arrangement, of_elements in entry.moments.items()
    }
    return check_species(
        Species(
            name,
            atoms,
            charge=entry.charge,
            multiplicity=entry.multiplicity,
            source=source,
            starting_moments=moments,
        )
    )


def read_species(name: str, *, path: Path, charge: int, multiplicity: int | None = None) -> Species:
    """A species from the user's file.

    Args:
        name: as reactions name it.
        path: a structure file.
        charge: in e.
        multiplicity: 2 S + 1; None: the lowest that the number of electrons allows.

    Raises:
        InputError: if the file or the spin is wrong, or what is in the file repeats.
    """
    atoms, source = read_structure(path), path.name
    if atoms.pbc.any():
        atoms, source = drop_cell(atoms, name=name), f"{source}, without its periodic cell"
    return complete_species(Species(name, atoms, charge=charge, source=source), multiplicity=multiplicity)


def drop_cell(atoms: Atoms, *, name: str) -> Atoms:
    """A molecule out of a cell that repeats, which it must lie in as a whole.

    Raises:
        InputError: if bonds run through the boundary: a molecule that is cut, or no molecule.
    """
    first, _, shifts = neighbor_list("ijS", atoms, natural_cutoffs(atoms, mult=_LONGEST_BOND))
    if shifts.any():
        n_bonds, index = int(shifts.any(axis=1).sum()) // 2, int(first[shifts.any(axis=1)][0])
        raise InputError(
            f"species.{name}.file: {n_bonds} bonds run through the boundary of its cell (one from atom {index}, "
            f"{atoms.symbols[index]}), needs a molecule that is whole. Move it into one piece; what repeats goes under "
            "substrates."
        )
    return Atoms(atoms.numbers, positions=atoms.positions)


def build_from_smiles(
    name: str, *, smiles: str, charge: int | None = None, multiplicity: int | None = None, seed: int = 1
) -> Species:
    """A species from a SMILES: distance geometry (ETKDG), then the UFF force field, lowest of ten conformers.

    Args:
        name: as reactions name it.
        smiles: of one molecule or ion.
        charge: in e; None: the formal charge of the SMILES.
        multiplicity: 2 S + 1; None: the lowest that the number of electrons allows.
        seed: of the conformers.

    Raises:
        InputError: if it does not parse, or no geometry is found.
        SetupError: if RDKit is not installed.

    Source:
        10.1021/acs.jcim.5b00654 (ETKDG), 10.1021/ja00051a040 (UFF)
    """
    try:  # its stubs lack half of its names
        chem, logger = importlib.import_module("rdkit.Chem.AllChem"), importlib.import_module("rdkit.RDLogger")
    except ModuleNotFoundError as error:
        raise SetupError("A SMILES needs RDKit, which is not installed here: see alkaliflow doctor") from error
    logger.DisableLog("rdApp.*")  # its messages go to stderr; what matters is in the error below
    parsed = chem.MolFromSmiles(smiles) if smiles.strip() else None
    if parsed is None:
        raise InputError(
            f"species.{name}.smiles is {smiles!r}, which is no SMILES of a molecule. Write it anew, e.g. CO."
        )
    n_parts = len(chem.GetMolFrags(parsed))
    if n_parts > 1:
        raise InputError(
            f"species.{name}.smiles is {smiles!r}, which names {n_parts} molecules or ions, needs one: where they lie "
            "to each other is not told. Name each as a species of its own, or give the geometry of the whole as file."
        )
    if any(atom.GetAtomicNum() == 0 for atom in parsed.GetAtoms()):
        raise InputError(
            f"species.{name}.smiles is {smiles!r}, in which an atom is a wildcard (*), needs elements. Write which, "
            "e.g. CF in place of *F."
        )
    molecule = chem.AddHs(parsed)
    conformers = list(chem.EmbedMultipleConfs(molecule, 10, randomSeed=seed))
    if not conformers:
        raise InputError(f"species.{name}.smiles is {smiles!r}: no geometry was found for it. Give a file instead.")
    energies = [energy for _, energy in chem.UFFOptimizeMoleculeConfs(molecule, maxIters=2000)]
    best = conformers[int(np.argmin(energies))]
    symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    atoms = Atoms(symbols, positions=molecule.GetConformer(best).GetPositions())
    formal = int(chem.GetFormalCharge(molecule))
    species = Species(name, atoms, charge=formal if charge is None else charge, source=f"SMILES {smiles}, UFF geometry")
    return complete_species(species, multiplicity=multiplicity)


def complete_species(species: Species, *, multiplicity: int | None) -> Species:
    """A species with the multiplicity asked for, or the lowest possible one, checked."""
    lowest = 1 + species.n_electrons % 2
    return check_species(replace(species, multiplicity=lowest if multiplicity is None else multiplicity))


def check_species(species: Species) -> Species:
    """The species itself, if its spin fits its electrons and its moments, and no atoms lie on each other.

    Raises:
        InputError: names the value, the limit and the fix.
    """
    name, n_electrons, multiplicity = species.name, species.n_electrons, species.multiplicity
    if n_electrons < 0:
        raise InputError(
            f"species.{name}.charge is {species.charge:+d}, needs at most {species.atoms.numbers.sum():+d}: it has no "
            "more electrons to give."
        )
    if multiplicity < 1 or (n_electrons + multiplicity) % 2 == 0 or multiplicity > n_electrons + 1:
        parity, fitting = ("even", "1, 3, 5 …") if n_electrons % 2 == 0 else ("odd", "2, 4, 6 …")
        raise InputError(
            f"species.{name}.multiplicity is {multiplicity}, but {species.atoms.symbols.formula} with charge "
            f"{species.charge:+d} has {n_electrons} electrons, an {parity} number: it needs {fitting}, at most "
            f"{n_electrons + 1}. Set it, or mend the charge."
        )
    _check_moments(species)
    distance_A, first, second = compute_smallest_distance(species.atoms, limit_A=2.0)
    if distance_A < SHORTEST_DISTANCE_A:
        raise InputError(
            f"species.{name}: atoms {first} and {second} are {distance_A:.2f} Å apart, needs at least "
            f"{SHORTEST_DISTANCE_A} Å. Mend the geometry."
        )
    return species


def has_antiparallel_moments(moments: Sequence[float] | NDArray[np.float64]) -> bool:
    """Whether moments of atoms, shape (n_atoms,), point both ways."""
    return min(moments) < 0 < max(moments)


def _check_moments(species: Species) -> None:
    n_atoms, unpaired = len(species.atoms), species.multiplicity - 1
    for arrangement, moments in species.starting_moments.items():
        where = f"species.{species.name}.starting_moments.{arrangement}"
        if len(moments) != n_atoms:
            raise InputError(f"{where} has {len(moments)} moments, needs {n_atoms}: give one for each atom.")
        total = math.fsum(moments)
        if not math.isclose(total, unpaired, abs_tol=_MOMENT_TOLERANCE):
            raise InputError(
                f"{where} adds up to {total:g} μB, needs {unpaired} for multiplicity {species.multiplicity}. Mend the "
                "moments, or the multiplicity."
            )
