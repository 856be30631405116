"""How a reaction's energy is put together: steps whose energies are all by one method, in one cell, on one grid."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from structures.ghosts import make_ghosts
from structures.reaction import Reaction
from structures.species import ELECTRON, Species
from workflows.adsorption_cells import (
    BASE,
    Cell,
    Variant,
    build_slab_cell,
    find_box,
    find_relaxation_cell,
    find_relaxation_settings,
    find_slab_settings,
    list_open_checks,
    list_slab_checks,
)
from workflows.adsorption_species import list_slabs, neutralise, parse_reactions
from workflows.configuration.tfsi_adsorption import ON, TfsiAdsorptionConfig

SLAB_ANALYSES = ("hirshfeld", "potential")
GHOSTLY = ("gpaw", "pyscf")  # calculators that know atoms without nuclei
FROM_CODE = {"bader": "density", "density-difference": "density", "density-of-states": "density-of-states"}


@dataclass(frozen=True)
class Fragment:
    """A reactant as a part of the product.

    Attributes:
        reactant: its name.
        product: name of the product.
        part: its atoms in the product.
        number: 2 for the second of two equal reactants.
    """

    reactant: str
    product: str
    part: slice
    number: int = 1

    @property
    def name(self) -> str:
        """Name of the energy of the reactant in the shape that it has in the product."""
        return f"{self.reactant}{f' ({self.number})' if self.number > 1 else ''} in {self.product}"


@dataclass(frozen=True)
class Term:
    """An energy of a step.

    Attributes:
        name: for people; also names its key.
        species: what it is the energy of.
        number: how often it counts in ΔE, negative on the left side.
        frame: the product that it lies in; None if it stands by itself.
        part: its atoms in the frame.
        analyses: what is written beside its energy.
        has_ghosts: whether the other atoms of the frame bring their orbitals.
    """

    name: str
    species: Species
    number: int
    frame: Species | None = None
    part: slice | None = None
    analyses: tuple[str, ...] = ()
    has_ghosts: bool = False

    def place(self, cell: Cell, *, less_vacuum_A: float = 0.0) -> Species:
        """In the cell of its step: by itself, or where it lies in the product."""
        if self.frame is None or self.part is None:
            return cell.place(self.species, less_vacuum_A=less_vacuum_A)
        placed = cell.place(self.frame, less_vacuum_A=less_vacuum_A).atoms
        own = make_ghosts(placed, real=self.part) if self.has_ghosts else placed[self.part]
        return replace(self.species, atoms=own)


@dataclass(frozen=True)
class Wanted:
    """An energy to compute: the species in its cell, settings of the calculator that differ, and analyses beside it."""

    species: Species
    changes: Mapping[str, Any]
    analyses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A part of ΔE that is a sum of energies by one method.

    Attributes:
        kind: joining, sum, deformation, adsorption, charging, counterpoise or shapes.
        terms: what is summed.
        cells: variant's name → the cell of all its energies.
        settings: of the calculator that differ from those of the run.
        checks: numerical parameters that are made worse in turn.
        unchecked: parameters whose error is not estimated.
        counts: whether it is a part of ΔE, or only tells of one.
    """

    kind: str
    terms: tuple[Term, ...]
    cells: Mapping[str, Cell]
    settings: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[Variant, ...] = ()
    unchecked: tuple[str, ...] = ()
    counts: bool = True

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The answer itself, then each check."""
        return (BASE, *self.checks)

    def list_energies(self) -> dict[str, Wanted]:
        """Every energy that the step needs, by its label."""
        return {
            label(term.name, variant=variant): Wanted(
                term.place(self.cells[variant.name], less_vacuum_A=variant.less_vacuum_A * self.is_slab),
                {**self.settings, **variant.settings},
                () if variant.name else term.analyses,
            )
            for variant in self.variants
            for term in self.terms
        }

    @property
    def is_slab(self) -> bool:
        """Whether its cell is that of a slab."""
        return self.cells[""].is_slab

    def reverse(self) -> "Step":
        """The same energies with the other sign."""
        return replace(self, terms=tuple(replace(term, number=-term.number) for term in self.terms))


def label(name: str, *, variant: Variant) -> str:
    """Name of an energy for people, and of its key."""
    return f"{name}, {variant.name} check" if variant.name else name


def list_steps(
    reaction: Reaction,
    *,
    config: TfsiAdsorptionConfig,
    settings: Mapping[str, Any],
    species: Mapping[str, Species],
    start: Mapping[str, Species] | None = None,
) -> list[Step]:
    """The steps of a reaction.

    Molecules only: where reactants join to one product, they are computed where they lie in it, so that the error of
    the grid cancels, and what it costs to bend them is a step of its own; other reactions are one sum. With a slab: all
    in its cell, ions without their charge; what the charge costs is a step of its own in open boundaries.

    Args:
        reaction: the sum.
        config: of the run.
        settings: of the calculator, all of them.
        species: in the geometries that count, relaxed if so wished.
        start: before relaxation, which decides on the box of molecules; None: the same.

    Raises:
        InputError: if the method cannot do a step.
    """
    before = species if start is None else start
    if list_slabs(reaction.coefficients, species=species):
        return list_slab_steps(reaction, config=config, settings=settings, species=species, start=before)
    analyses = find_analyses(config)
    open_step = build_open_step("sum", (), config=config, settings=settings, start=before)
    fragments = find_fragments(reaction, species=species)
    if fragments and fragments[0].product in reaction.reactants:
        forwards = list_steps(reverse(reaction), config=config, settings=settings, species=species, start=before)
        return [step.reverse() for step in forwards]
    if not fragments:
        terms = [
            Term(name, species[name], number, analyses=analyses)
            for name, number in reaction.coefficients.items()
            if name != ELECTRON
        ]
        return [replace(open_step, terms=tuple(terms))]
    product = species[fragments[0].product]
    terms = [
        Term(
            fragment.name,
            replace(species[fragment.reactant], name=fragment.name, source=f"as in {fragment.product}"),
            -1,
            frame=product,
            part=fragment.part,
            analyses=analyses,
        )
        for fragment in fragments
    ]
    joining = replace(open_step, kind="joining", terms=(*terms, Term(product.name, product, 1, analyses=analyses)))
    bending = build_deformation_step(fragments, config=config, settings=settings, species=species, start=before)
    correction = build_counterpoise_step(terms, {product.name: 1}, step=joining, config=config, settings=settings)
    return [joining, *(step for step in (bending, correction) if step.terms)]


def list_all_steps(
    config: TfsiAdsorptionConfig,
    *,
    settings: Mapping[str, Any],
    species: Mapping[str, Species],
    start: Mapping[str, Species] | None = None,
) -> list[list[Step]]:
    """The steps of each reaction of a run, in their order."""
    return [
        list_steps(reaction, config=config, settings=settings, species=species, start=start)
        for reaction in parse_reactions(config)
    ]


def list_energies(steps: Iterable[Sequence[Step]]) -> dict[str, Wanted]:
    """Every energy of a run once, by its label."""
    return {name: wanted for group in steps for step in group for name, wanted in step.list_energies().items()}


def build_open_step(
    kind: str,
    terms: Sequence[Term],
    *,
    config: TfsiAdsorptionConfig,
    settings: Mapping[str, Any],
    start: Mapping[str, Species],
) -> Step:
    """A sum in the open box that all molecules of the run share."""
    checks, unchecked = list_open_checks(config, settings=settings)
    cells = {
        variant.name: Cell(find_box(config, species=start, settings=settings, less_vacuum_A=variant.less_vacuum_A))
        for variant in (BASE, *checks)
    }
    return Step(kind, tuple(terms), cells=cells, checks=tuple(checks), unchecked=tuple(unchecked))


def build_deformation_step(
    fragments: Sequence[Fragment],
    *,
    config: TfsiAdsorptionConfig,
    settings: Mapping[str, Any],
    species: Mapping[str, Species],
    start: Mapping[str, Species],
) -> Step:
    """What it costs to bend reactants into the shape that they have in the product, by the method of relaxations.

    Both shapes have one charge and one box, so that images and background largely cancel.
    """
    terms = []
    for fragment in fragments:
        own, product = species[fragment.reactant], species[fragment.product]
        if len(own.atoms) > 1:
            bent = replace(own, atoms=product.atoms[fragment.part])
            terms += [Term(f"{fragment.name}, bent", bent, 1), Term(f"{fragment.name}, relaxed", own, -1)]
    base, factor = find_relaxation_settings(settings), config.checks.grid_factor
    if base:
        worse = {"cutoff_eV": round(settings["cutoff_eV"] / factor**2, 1)} if factor > 1 else {}
    else:
        worse = dict(next((one.settings for one in list_open_checks(config, settings=settings)[0] if one.settings), {}))
    change = "deformation energies with a worse basis or grid"
    cell = find_relaxation_cell(config, settings=settings, start=start)
    checks = (Variant("deformation", change, worse),) if worse else ()
    cells = {variant.name: cell for variant in (BASE, *checks)}
    return Step("deformation", tuple(terms), cells=cells, settings=base, checks=checks)


def build_counterpoise_step(
    parts: Sequence[Term],
    numbers: Mapping[str, int],
    *,
    step: Step,
    config: TfsiAdsorptionConfig,
    settings: Mapping[str, Any],
) -> Step:
    """What parts gain from the orbitals of each other, which the whole has and they alone have not.

    Each part is computed where it lies in the whole, without and with the other's orbitals; the difference is no
    bond and is taken out. With plane waves or a grid there is nothing to correct, and the step has no terms.

    Args:
        parts: terms that lie in a whole, without ghosts.
        numbers: how often each whole counts in ΔE.
        step: whose cells and settings it has; a check of the basis holds for it too.
        config: of the run.
        settings: of the calculator, all of them.

    Source: Boys & Bernardi 1970, 10.1080/00268977000101561.
    """
    terms = []
    if config.calculator.name in GHOSTLY and {**settings, **step.settings}.get("mode", "lcao") == "lcao":
        for part in parts:
            number = numbers[part.frame.name] if part.frame is not None else 0
            whole = replace(part.species, name=f"{part.name}, in its basis")
            terms += [
                replace(part, number=number),
                replace(part, name=whole.name, species=whole, number=-number, analyses=(), has_ghosts=True),
            ]
    checks = tuple(check for check in step.checks if "basis" in check.settings)
    return replace(step, kind="counterpoise", terms=tuple(terms), checks=checks, unchecked=())


def reverse(reaction: Reaction) -> Reaction:
    """The reaction from right to left; its text stays, by which results are known."""
    return Reaction(reaction.text, {name: -number for name, number in reaction.coefficients.items()})


def find_fragments(reaction: Reaction, *, species: Mapping[str, Species]) -> list[Fragment]:
    """The species of one side as parts of the only one of the other: all its atoms are theirs.

    Parts of an adsorbed species are known, the substrate first. Other parts must be found: the atoms of each in one
    piece and in its own order, at one place only.

    Returns:
        One fragment a part; nothing if the reaction is no joining or falling apart of that kind.
    """
    if ELECTRON in reaction.coefficients:
        return []
    sides = [(reaction.products, reaction.reactants), (reaction.reactants, reaction.products)]
    for whole, parts in sides:
        if list(whole.values()) == [1] and sum(parts.values()) > 1:
            return find_parts(next(iter(whole)), parts=parts, species=species)
    return []


def find_parts(product: str, *, parts: Mapping[str, int], species: Mapping[str, Species]) -> list[Fragment]:
    """Where each part lies in a whole; nothing if one is not found, or found at several places."""
    if ON in product:
        guest, host = product.split(ON)
        if Counter(parts) == Counter([guest, host]):
            n_host = len(species[host].atoms)
            second = Fragment(guest, product, slice(n_host, len(species[product].atoms)), 2 if guest == host else 1)
            return [Fragment(host, product, slice(0, n_host)), second]
    numbers, found = species[product].atoms.numbers.tolist(), []
    for name, count in parts.items():
        wanted = species[name].atoms.numbers.tolist()
        starts = [i for i in range(len(numbers) - len(wanted) + 1) if numbers[i : i + len(wanted)] == wanted]
        if count != 1 or len(starts) != 1:
            return []
        found.append(Fragment(name, product, slice(starts[0], starts[0] + len(wanted))))
    covered = sorted(index for fragment in found for index in range(fragment.part.start, fragment.part.stop))
    return found if covered == list(range(len(numbers))) else []


def list_slab_steps(
    reaction: Reaction,
    *,
    config: TfsiAdsorptionConfig,
    settings: Mapping[str, Any],
    species: Mapping[str, Species],
    start: Mapping[str, Species],
) -> list[Step]:
    """The steps of a reaction with a slab."""
    slabs = list_slabs(reaction.coefficients, species=species)
    first = species[slabs[0]]
    own = find_slab_settings(config, name=slabs[0], settings=settings, species=species)
    checks, unchecked = list_slab_checks(config, name=slabs[0], settings={**settings, **own})
    cell = build_slab_cell(first.atoms)
    host = slabs[0].rsplit(ON, maxsplit=1)[-1]
    terms, charging, shapes = list[Term](), list[Term](), list[Term]()
    for name, number in reaction.coefficients.items():
        if name == ELECTRON:
            continue
        one = species[name]
        if name in slabs:
            terms.append(Term(name, one, number, analyses=(*SLAB_ANALYSES, *find_analyses(config))))
            shapes += list_shapes(name, config=config, species=species)
            continue
        neutral = neutralise(one)
        terms.append(Term(f"{neutral.name} in the cell of {host}", neutral, number))
        if one.charge:
            charging += [Term(name, one, number), Term(neutral.name, neutral, -number)]
    cells = {variant.name: cell for variant in (BASE, *checks)}
    steps = [
        Step("adsorption", tuple(terms), cells=cells, settings=own, checks=tuple(checks), unchecked=tuple(unchecked))
    ]
    if charging:
        # The neutral species must be in the same state as in the cell of the slab, so it has the slab's smearing here.
        step = build_open_step("charging", charging, config=config, settings=settings, start=start)
        steps.append(replace(step, settings={"smearing_eV": own["smearing_eV"]}))
    numbers = {name: number for name, number in reaction.coefficients.items() if ON in name}
    correction = build_counterpoise_step(shapes, numbers, step=steps[0], config=config, settings=settings)
    if correction.terms:
        steps.append(correction)
    if shapes:
        steps.append(Step("shapes", tuple(shapes), cells={"": cell}, settings=own, counts=False))
    return steps


def list_shapes(name: str, *, config: TfsiAdsorptionConfig, species: Mapping[str, Species]) -> list[Term]:
    """An adsorbate and its substrate each by itself, in the shape and place that it has in the adsorbed species."""
    if ON not in name:
        return []
    guest, host = name.split(ON)
    n_host, adsorbed = len(species[host].atoms), species[name]
    parts = {guest: slice(n_host, None), host: slice(0, n_host)}
    return [
        Term(
            f"{part} as in {name}",
            replace(species[part], atoms=adsorbed.atoms[where]),
            1,
            frame=adsorbed,
            part=where,
            analyses=find_analyses(config),
        )
        for part, where in parts.items()
    ]


def find_analyses(config: TfsiAdsorptionConfig) -> tuple[str, ...]:
    """What the code writes so that the analyses asked for can be made."""
    return tuple(sorted({FROM_CODE[name] for name in config.analyses if name in FROM_CODE}))
