"""Files that `fitpod` reads: descriptors, data set, input."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, model_validator

from structures.errors import InputError

Positive = Annotated[float, Field(gt=0)]
Number = Annotated[int, Field(ge=0, le=20)]

DESCRIPTOR_FILE = "potential.pod"
DATA_FILE = "data.pod"
FIT_INPUT_FILE = "fit.in"
FITTED_BASENAME = "fitted"
TRAINING_DIRECTORY = "training"


class PodHyperparameters(BaseModel):
    """Size of the descriptors; names and meaning are those of LAMMPS.

    Attributes:
        inner_cutoff_A: below it the radial functions are not defined; well below any distance that occurs.
        cutoff_A: outer cut-off.
        bessel_degree: degree of the Bessel functions that the radial basis is made from.
        inverse_degree: degree of the inverse powers that it is made from.
        twobody_radial: radial functions of pairs.
        threebody_radial: radial functions of triplets.
        threebody_angular: angular degree of triplets.
        fourbody_radial: radial functions of quadruplets; 0 leaves them out.
        fourbody_angular: angular degree of quadruplets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    inner_cutoff_A: Positive = 1.0
    cutoff_A: Positive = 6.0
    bessel_degree: Number = 3
    inverse_degree: Number = 6
    twobody_radial: Number = 7
    threebody_radial: Number = 5
    threebody_angular: Number = 3
    fourbody_radial: Number = 0
    fourbody_angular: Number = 0

    @model_validator(mode="after")
    def check_order(self) -> Self:
        """LAMMPS builds the functions of more bodies from those of fewer."""
        if self.inner_cutoff_A >= self.cutoff_A:
            message = f"inner_cutoff_A is {self.inner_cutoff_A:g}, needs less than cutoff_A ({self.cutoff_A:g})"
            raise ValueError(message)
        for name in ("radial", "angular"):
            three, four = getattr(self, f"threebody_{name}"), getattr(self, f"fourbody_{name}")
            if four > three:
                message = f"fourbody_{name} is {four}, needs at most threebody_{name} ({three})"
                raise ValueError(message)
        return self


def write_descriptor(path: Path, hyperparameters: PodHyperparameters, *, elements: Sequence[str]) -> None:
    """Write the descriptor file; it belongs to the finished potential too.

    Args:
        path: of the file.
        hyperparameters: size of the descriptors.
        elements: in the order of the coefficients.
    """
    h = hyperparameters
    values: list[tuple[str, object]] = [
        ("rin", h.inner_cutoff_A),
        ("rcut", h.cutoff_A),
        ("bessel_polynomial_degree", h.bessel_degree),
        ("inverse_polynomial_degree", h.inverse_degree),
        ("onebody", 1),
        ("twobody_number_radial_basis_functions", h.twobody_radial),
        ("threebody_number_radial_basis_functions", h.threebody_radial),
        ("threebody_angular_degree", h.threebody_angular),
        # LAMMPS has quadruplets by default: leaving these out would not leave them out.
        ("fourbody_number_radial_basis_functions", h.fourbody_radial),
        ("fourbody_angular_degree", h.fourbody_angular),
    ]
    lines = [f"species {' '.join(elements)}", "pbc 1 1 1", *[f"{name} {value}" for name, value in values]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_fit_files(
    directory: Path,
    frames_by_kind: Mapping[str, Sequence[Atoms]],
    *,
    weights_by_kind: Mapping[str, tuple[float, float]],
    energy_weight: float,
    force_weight: float,
    regularisation: float,
) -> None:
    """Write the training set, a file a kind, and what `fitpod` is told about it.

    Args:
        directory: where the fit runs.
        frames_by_kind: labelled frames, in periodic cells.
        weights_by_kind: kinds with weights (energy, force) of their own.
        energy_weight: of the squared error of the energy per atom, in eV⁻².
        force_weight: of the squared error of a force component, in Å² eV⁻².
        regularisation: of the squared norm of the coefficients.

    Raises:
        InputError: if there is no frame.
    """
    if not any(frames_by_kind.values()):
        raise InputError("the training set is empty: give at least one trajectory that is not held out")
    training = directory / TRAINING_DIRECTORY
    training.mkdir()
    kinds = sorted(kind for kind, frames in frames_by_kind.items() if frames)
    for kind in kinds:
        write_fit_frames(training / f"{kind}.xyz", frames_by_kind[kind])
    lines = [
        "file_format extxyz",
        "file_extension xyz",
        f'path_to_training_data_set "{TRAINING_DIRECTORY}"',
        f"fitting_weight_energy {energy_weight!r}",
        f"fitting_weight_force {force_weight!r}",
        f"fitting_regularization_parameter {regularisation!r}",
        "error_analysis_for_training_data_set 0",
        "error_analysis_for_test_data_set 0",
        f"basename_for_output_files {FITTED_BASENAME}",
        "precision_for_pod_coefficients 12",
    ]
    own_weights = [
        f"{kind} {weights_by_kind[kind][0]!r} {weights_by_kind[kind][1]!r}" for kind in kinds if kind in weights_by_kind
    ]
    if own_weights:
        # Where the table ends the file, fitpod closes it and reads on. Three lines that say nothing new prevent that.
        lines += ["group_weights table", *own_weights, *["file_format extxyz"] * 3]
    (directory / DATA_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = f"units metal\nfitpod {DESCRIPTOR_FILE} {DATA_FILE}\n"
    (directory / FIT_INPUT_FILE).write_text(text, encoding="utf-8")


def write_fit_frames(path: Path, frames: Sequence[Atoms]) -> None:
    """Write labelled frames as `fitpod` reads them: energy in eV, forces in eV/Å, stress asked for but not used."""
    with path.open("w", encoding="utf-8") as stream:
        for frame in frames:
            cell = " ".join(f"{value:.9f}" for value in frame.cell.array.ravel())
            stream.write(
                f'{len(frame)}\nLattice="{cell}" energy={float(frame.get_potential_energy()):.9f} '
                'stress="0 0 0 0 0 0 0 0 0" Properties=species:S:1:pos:R:3:forces:R:3\n'
            )
            for symbol, position, force in zip(frame.symbols, frame.positions, frame.get_forces(), strict=True):
                numbers = " ".join(f"{value:.9f}" for value in (*position, *force))
                stream.write(f"{symbol} {numbers}\n")
