"""Settings of electronic methods: protocols, the user's over them, and what is refused before anything starts."""

import re
from pathlib import Path

import pytest
from ase import Atoms

from structures.errors import InputError, SetupError
from workflows.calculators.cp2k_installation import check_release, read_release
from workflows.calculators.electronic import (
    ELECTRONIC_METHODS,
    build_electronic_spec,
    check_elements_and_basis,
    check_method_installed,
    find_method,
)
from workflows.calculators.telling_settings import keep_telling_settings
from workflows.calculators.wording import IN_ONE_FILE_COMMANDS


@pytest.mark.parametrize("name", list(ELECTRONIC_METHODS))
def test_every_protocol_is_written_out_whole(name: str) -> None:
    specs = [
        build_electronic_spec(name, protocol=protocol, overrides={}) for protocol in ("fast", "moderate", "precise")
    ]
    assert all(set(spec.overrides) == set(find_method(name).settings.model_fields) for spec in specs)
    assert len({str(spec.overrides) for spec in specs}) == 3


def test_the_user_has_the_last_word() -> None:
    spec = build_electronic_spec("gpaw", protocol="precise", overrides={"spacing_A": 0.25, "xc": "RPBE"})
    assert (spec.overrides["spacing_A"], spec.overrides["xc"], spec.overrides["mode"]) == (0.25, "RPBE", "fd")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"spacing": 0.2}, "calculator.overrides.spacing is not a setting of gpaw"),
        ({"spacing": 0.2}, "Did you mean spacing_A?"),
        ({"xc": "PBEsol"}, "calculator.overrides.xc is 'PBEsol': input should be 'PBE', 'revPBE', 'RPBE' or 'LDA'"),
        ({"spacing_A": 0}, "calculator.overrides.spacing_A is 0: input should be greater than 0.05"),
        ({"spacing_A": "fine"}, "calculator.overrides.spacing_A is 'fine'"),
    ],
)
def test_wrong_settings_are_named(overrides: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        build_electronic_spec("gpaw", protocol="moderate", overrides=overrides)


@pytest.mark.parametrize("kind", ["d3zero", "d3bj"])
def test_dispersion_needs_parameters_for_the_functional(kind: str) -> None:
    for xc in ("PBE", "revPBE", "RPBE"):
        build_electronic_spec("gpaw", protocol="fast", overrides={"xc": xc, "dispersion": kind})
    with pytest.raises(InputError, match=f"dispersion is '{kind}', which has no parameters for the functional LDA"):
        build_electronic_spec("gpaw", protocol="fast", overrides={"xc": "LDA", "dispersion": kind})


def test_each_place_has_its_own_way_to_set_them() -> None:
    wording = IN_ONE_FILE_COMMANDS
    for said, protocol, overrides in (
        ("--protocol is 'slow', needs one of fast, moderate, precise for xtb", "slow", {}),
        ("calculator.accuracy is -1: input should be greater than or equal to 0.001", "fast", {"accuracy": -1}),
        ("calculator.precision is not a setting of xtb", "fast", {"precision": 1}),
    ):
        with pytest.raises(InputError, match=f"^{re.escape(said)}"):
            build_electronic_spec("xtb", protocol=protocol, overrides=overrides, wording=wording)
    for name, changed, element, said in (
        ("xtb", {}, "U", "ends at radon. Use --calculator gpaw."),
        ("gpaw", {}, "Am", "or --calculator pyscf."),
        ("pyscf", {"basis": "x"}, "H", "Use another, e.g. --set calculator.basis=def2-tzvpd."),
    ):
        spec = build_electronic_spec(name, protocol="fast", overrides=changed)
        with pytest.raises(InputError, match=re.escape(said)):
            check_elements_and_basis(spec, elements=[element], wording=wording)


def test_elements_without_data_are_named() -> None:
    gpaw = build_electronic_spec("gpaw", protocol="moderate", overrides={})
    check_elements_and_basis(gpaw, elements=["Li", "F", "S"])
    with pytest.raises(InputError, match="no PAW data of Am for PBE"):
        check_elements_and_basis(gpaw, elements=["Li", "Am"])


def test_a_basis_that_does_not_exist_is_named() -> None:
    for basis, element in (("def2-tzvpq", "Li"), ("cc-pvdz", "Am")):
        spec = build_electronic_spec("pyscf", protocol="moderate", overrides={"basis": basis})
        with pytest.raises(InputError, match=f"basis is '{basis}', which PySCF does not have for {element}"):
            check_elements_and_basis(spec, elements=[element])


@pytest.mark.parametrize("basis", ["aug-cc-pvdz-pp", "def2-mtzvp"])
def test_a_basis_whose_core_potential_is_missing_is_refused(basis: str) -> None:
    spec = build_electronic_spec("pyscf", protocol="moderate", overrides={"basis": basis})
    with pytest.raises(
        InputError, match=f"{basis}', which is made for a core potential of Ag that PySCF does not find"
    ):
        check_elements_and_basis(spec, elements=["Ag"])


@pytest.mark.parametrize("basis", ["sto-3g", "def2-svpd", "lanl2dz", "ano", "dzp", "stuttgart", "6-311g**"])
def test_all_electrons_or_a_core_potential_will_do(basis: str) -> None:
    spec = build_electronic_spec("pyscf", protocol="moderate", overrides={"basis": basis})
    check_elements_and_basis(spec, elements=["I"])


def test_what_a_structure_adds_to_the_settings_is_a_part_of_the_key() -> None:
    settings = build_electronic_spec("pyscf", protocol="fast", overrides={}).overrides
    assert keep_telling_settings(settings, atoms=Atoms("LiF")) == settings
    heavy = keep_telling_settings(settings, atoms=Atoms("LiI"))
    assert heavy == {**settings, "core_potentials": {"I": 28}}
    parallel, turned = (Atoms("H2", magmoms=[1.0, second]) for second in (1.0, -1.0))
    assert keep_telling_settings(settings, atoms=parallel) == settings
    assert keep_telling_settings(settings, atoms=turned) == {**settings, "starts_from_moments": True}


def test_near_names_of_codes_are_offered() -> None:
    with pytest.raises(InputError, match="Did you mean gpaw"):
        find_method("gpow")


def test_papers_are_protocols_of_the_codes_that_they_used() -> None:
    settings = dict(build_electronic_spec("vasp", protocol="zhen-2025", overrides={}).overrides)
    told = {name: settings[name] for name in ("xc", "dispersion", "cutoff_eV", "k_points", "energy_tolerance_eV")}
    assert told == {
        "xc": "PBE",
        "dispersion": "d3zero",
        "cutoff_eV": 400.0,
        "k_points": [1, 1, 1],
        "energy_tolerance_eV": 1e-5,
    }
    assert (settings["force_tolerance_eV_per_A"], settings["relaxation"]) == (0.05, "conjugate-gradients")
    other = dict(build_electronic_spec("vasp", protocol="wu-2025", overrides={"k_points": (3, 3, 1)}).overrides)
    told = {name: other[name] for name in ("xc", "dispersion", "cutoff_eV", "k_points", "energy_tolerance_eV")}
    assert told == {
        "xc": "PBE",
        "dispersion": "none",
        "cutoff_eV": 500.0,
        "k_points": [3, 3, 1],
        "energy_tolerance_eV": 1e-4,
    }
    assert other["force_tolerance_eV_per_A"] == 0.01


def test_a_paper_of_another_code_is_no_protocol() -> None:
    with pytest.raises(InputError, match="protocol is 'zhen-2025', needs one of fast, moderate, precise for gpaw"):
        build_electronic_spec("gpaw", protocol="zhen-2025", overrides={})


def test_u_is_given_for_each_element() -> None:
    spec = build_electronic_spec("vasp", protocol="moderate", overrides={"hubbard_U_eV": {"Fe": 4}})
    assert spec.overrides["hubbard_U_eV"] == {"Fe": 4.0}
    with pytest.raises(InputError, match=r"calculator\.overrides\.hubbard_U_eV\.Fe is -1"):
        build_electronic_spec("vasp", protocol="moderate", overrides={"hubbard_U_eV": {"Fe": -1}})


@pytest.mark.parametrize("name", ["vasp", "espresso"])
def test_codes_that_run_elsewhere_are_not_started_here(name: str) -> None:
    method = find_method(name)
    assert method.writes_inputs_only
    assert "runs elsewhere" in method.summary
    check_elements_and_basis(build_electronic_spec(name, protocol="fast", overrides={}), elements=["Li", "Am"])
    with pytest.raises(SetupError, match=f"calculator {name} does not run here.*Choose one of gpaw, pyscf, xtb, cp2k"):
        check_method_installed(name)


def test_codes_that_run_here_say_so() -> None:
    assert not find_method("gpaw").writes_inputs_only
    check_method_installed("pyscf")


def test_cp2k_is_told_to_be_installed_where_it_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = r"calculator cp2k needs cp2k\.psmp, not installed here: apt-get install cp2k libopenblas0-openmp"
    with pytest.raises(SetupError, match=said):
        check_method_installed("cp2k")
    program = tmp_path / "cp2k.psmp"
    program.write_text("#!/bin/sh\necho ' CP2K version 9.1'\n")
    program.chmod(0o755)
    check_method_installed("cp2k")
    with pytest.raises(SetupError, match=r"CP2K here is of release 9\.1, needs 2023 or later"):
        check_release(read_release(str(program)))


def test_elements_that_cp2k_has_no_basis_for_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "cp2k.psmp"
    program.parent.mkdir()
    program.touch(mode=0o755)
    data = tmp_path / "share" / "cp2k"
    data.mkdir(parents=True)
    (data / "BASIS_MOLOPT").write_text(
        " Li DZVP-MOLOPT-SR-GTH DZVP-MOLOPT-SR-GTH-q3\n 1\n 2 0 1 5 3 2\n O  DZVP-MOLOPT-SR-GTH\n O TZVP-MOLOPT-GTH\n"
    )
    (data / "GTH_POTENTIALS").write_text("Li GTH-PBE-q3 GTH-PBE\n    3\nO GTH-PBE-q6 GTH-PBE\n")
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.delenv("CP2K_DATA_DIR", raising=False)
    spec = build_electronic_spec("cp2k", protocol="moderate", overrides={})
    check_elements_and_basis(spec, elements=["Li", "O"])
    with pytest.raises(InputError, match=r"cp2k has no DZVP-MOLOPT-SR-GTH of Am, F in .*BASIS_MOLOPT"):
        check_elements_and_basis(spec, elements=["Li", "F", "Am"])
    triple = build_electronic_spec("cp2k", protocol="moderate", overrides={"basis": "TZVP-MOLOPT-GTH"})
    with pytest.raises(InputError, match="no TZVP-MOLOPT-GTH of Li"):
        check_elements_and_basis(triple, elements=["Li", "O"])
