import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ase.calculators.emt import EMT

from structures.errors import InputError, SetupError
from workflows.calculators import chgnet
from workflows.calculators.registry import (
    CALCULATORS,
    CHOOSABLE,
    build_ase_calculator,
    build_lammps_potential,
    check_calculator,
    get_capabilities,
)
from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import AS_TEACHER, IN_FLOWS, IN_ONE_FILE_COMMANDS, IN_PYTHON, Wording
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_key

DESCRIPTOR = "species K Bi Sn Sb\nrin 1.0\nrcut 6.0\n"


@pytest.fixture
def pod(tmp_path: Path) -> CalculatorSpec:
    for name, text in (("potential.pod", DESCRIPTOR), ("coefficients.pod", "model_coefficients: 0 0 0\n")):
        (tmp_path / name).write_text(text)
    models = {"descriptor": str(tmp_path / "potential.pod"), "coefficients": str(tmp_path / "coefficients.pod")}
    return CalculatorSpec("pod", models=models)


def test_every_calculator_says_what_it_can_do() -> None:
    assert set(CHOOSABLE) == {"pod", "lammps", "chgnet", "ase"}
    assert set(CALCULATORS) - set(CHOOSABLE) == {"force-field"}
    for name, entry in CALCULATORS.items():
        assert entry.name == name
        assert entry.summary
        assert entry.install or not entry.modules
    assert "Zn" in (CALCULATORS["chgnet"].elements or ())
    assert "Po" not in (CALCULATORS["chgnet"].elements or ())


def test_unknown_calculator_gets_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"There is no calculator 'chgnett'. Did you mean chgnet\?"):
        get_capabilities("chgnett")


def test_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(SetupError, match=r"chgnet needs torch, not installed here: .* -m pip install .*mlip"):
        check_calculator(CalculatorSpec("chgnet"), elements=["K"], blob_path=Path)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Weights as the package has them; to import it would fail."""
    path = tmp_path / "chgnet" / "pretrained" / "0.3.0" / "chgnet_0.3.0_e29f68s314m37.pth.tar"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    (tmp_path / "chgnet" / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    chgnet.identify_model.cache_clear()
    yield path
    chgnet.identify_model.cache_clear()


def test_the_weights_of_chgnet_are_in_its_key(weights: Path) -> None:
    first = build_calculator_spec("chgnet", add_blob=str)
    expected = {"chgnet model 0.3.0": f"sha256:{hashlib.sha256(b'weights').hexdigest()}"}
    assert first.to_json() == {"name": "chgnet", "code": expected}
    assert CalculatorSpec.from_json(first.to_json()) == first
    weights.write_bytes(b"others")
    chgnet.identify_model.cache_clear()
    second = build_calculator_spec("chgnet", add_blob=str)
    assert compute_key(Calculation("single_point", calculator=first)) != compute_key(
        Calculation("single_point", calculator=second)
    )
    with pytest.raises(SetupError, match=r"the installed model is .* the calculation is of"):
        build_ase_calculator(first)


def test_elements_the_potential_lacks_are_refused_by_name(pod: CalculatorSpec) -> None:
    message = (
        r"pod k-bi-sn-sb has no parameters for Pb, Zn \(it knows K, Bi, Sn, Sb\); "
        r"use --calculator chgnet, or distil a potential: alkaliflow run potential-distillation "
        r"--set 'alloy_elements=\[Pb, Zn\]'"
    )
    with pytest.raises(InputError, match=message):
        check_calculator(
            pod, elements=["K", "Zn", "Pb"], blob_path=Path, label="k-bi-sn-sb", wording=IN_ONE_FILE_COMMANDS
        )
    with pytest.raises(
        InputError, match=r"use --set calculator.name=chgnet, or distil .* --set 'alloy_elements=\[Zn\]'"
    ):
        check_calculator(pod, elements=["K", "Zn"], blob_path=Path, wording=IN_FLOWS)
    with pytest.raises(InputError, match=r"for Na .*; use --set calculator.name=chgnet$"):
        check_calculator(pod, elements=["K", "Na"], blob_path=Path, wording=IN_FLOWS)
    with pytest.raises(InputError, match=r"for Po .*; use another calculator or structure"):
        check_calculator(pod, elements=["K", "Po"], blob_path=Path, wording=IN_FLOWS)


def test_pod_has_all_its_species_as_types_in_its_own_order(pod: CalculatorSpec) -> None:
    potential = build_lammps_potential(pod, elements=["Sb", "K"], blob_path=Path)
    assert potential.type_elements == ("K", "Bi", "Sn", "Sb")
    assert potential.commands == (
        "pair_style pod",
        "pair_coeff * * ${models}/potential.pod ${models}/coefficients.pod K Bi Sn Sb",
    )


def test_pod_without_its_files_is_refused() -> None:
    with pytest.raises(InputError, match="pod lacks its coefficients and descriptor file"):
        build_lammps_potential(CalculatorSpec("pod"), elements=["K"], blob_path=Path)


def test_ensemble_that_an_engine_lacks_is_refused() -> None:
    spec = CalculatorSpec("ase", overrides={"factory": "ase.calculators.emt:EMT", "trust_code": True})
    with pytest.raises(InputError, match=r"calculator ase has no npt dynamics \(it has nvt, nve\)"):
        check_calculator(spec, elements=["Cu"], blob_path=Path, ensemble="npt")


def test_wrong_engine_is_refused(pod: CalculatorSpec) -> None:
    with pytest.raises(InputError, match="calculator pod is run by LAMMPS and has no ASE form here"):
        build_ase_calculator(pod)
    with pytest.raises(InputError, match="calculator chgnet is not run by LAMMPS; use pod or lammps"):
        build_lammps_potential(CalculatorSpec("chgnet"), elements=["K"], blob_path=Path)


def test_calculator_by_import_path_is_made_afresh() -> None:
    spec = CalculatorSpec("ase", overrides={"factory": "ase.calculators.emt:EMT", "trust_code": True})
    first, second = build_ase_calculator(spec), build_ase_calculator(spec)
    assert isinstance(first, EMT)
    assert first is not second


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({}, "factory is 'None', needs 'package.module:factory'"),
        ({"factory": "ase.calculators.emt.EMT"}, "needs 'package.module:factory'"),
        ({"factory": "ase.calculators.emt:EMT"}, r"runs the code of ase.calculators.emt:EMT. .*trust_code: true"),
        ({"factory": "ase.calculators.emt:EMT", "trust_code": "yes"}, "trust_code: true"),
        ({"factory": "no.such:EMT", "trust_code": True}, "no.such:EMT cannot be imported"),
        ({"factory": "ase.calculators.emt:EMTT", "trust_code": True}, "ase.calculators.emt has no EMTT"),
        ({"factory": "ase.calculators.emt:EMT", "trust_code": True, "arguments": 5}, "arguments is 5, needs names"),
        ({"factory": "ase.build:bulk", "trust_code": True, "arguments": {"name": "Cu"}}, "gave a Atoms, needs an ASE"),
        ({"factory": "ase.build:bulk", "trust_code": True, "arguments": {"x": 1}}, "does not take overrides.arguments"),
        ({"factory": "ase.units:fs", "trust_code": True}, "is no function or class"),
    ],
)
def test_wrong_import_paths_are_refused(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_ase_calculator(CalculatorSpec("ase", overrides=overrides))


@pytest.mark.parametrize(
    ("name", "key", "wording", "message"),
    [
        (
            "ase",
            "sigma",
            IN_ONE_FILE_COMMANDS,
            r"calculator\.sigma is not .* Did you mean calculator\.arguments\.sigma\?",
        ),
        ("ase", "trust", IN_FLOWS, r"calculator\.overrides\.trust is not .* mean calculator\.overrides\.trust_code\?"),
        ("ase", "sigma", AS_TEACHER, r"Did you mean teacher\.overrides\.arguments\.sigma\?"),
        (
            "lammps",
            "foo",
            IN_PYTHON,
            r"overrides\.foo is not a known key\. Known for calculator lammps: overrides\.elements",
        ),
        ("pod", "elements", IN_FLOWS, r"calculator\.overrides\.elements: calculator pod has no settings of its own"),
        ("chgnet", "device", IN_FLOWS, "calculator chgnet has no settings of its own"),
    ],
)
def test_settings_that_a_calculator_does_not_know_are_refused(
    name: str, key: str, wording: Wording, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        build_calculator_spec(
            name, potential="ase.calculators.emt:EMT", overrides={key: 4}, add_blob=str, wording=wording
        )
    with pytest.raises(InputError, match=message):
        check_calculator(CalculatorSpec(name, overrides={key: 4}), elements=[], blob_path=Path, wording=wording)


@pytest.mark.parametrize(
    ("wording", "fix"),
    [
        (IN_ONE_FILE_COMMANDS, "--set calculator.trust_code=true"),
        (IN_FLOWS, "--set calculator.overrides.trust_code=true"),
        (AS_TEACHER, "--set teacher.overrides.trust_code=true"),
        (IN_PYTHON, "overrides: {trust_code: true}"),
    ],
)
def test_trust_is_asked_for_in_the_words_of_the_command(wording: Wording, fix: str) -> None:
    spec = CalculatorSpec("ase", overrides={"factory": "ase.calculators.emt:EMT"})
    with pytest.raises(SetupError) as caught:
        check_calculator(spec, elements=["Cu"], blob_path=Path, wording=wording)
    assert str(caught.value).endswith(f"If you trust it: {fix}")
