from pathlib import Path

import pytest

from structures.errors import InputError
from workflows.calculators.lammps_potential import LammpsPotential, build_user_potential, read_pair_commands
from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.store import Store


def test_files_that_the_commands_name_travel_with_them(tmp_path: Path) -> None:
    (tmp_path / "Cu.eam").write_text("table")
    (tmp_path / "mine.pair").write_text("# copper\npair_style eam/alloy # fast\npair_coeff * * &\nCu.eam Cu\n")
    store = Store(tmp_path / "store")
    spec = build_calculator_spec(
        "lammps", potential=str(tmp_path / "mine.pair"), overrides={"elements": ["Cu"]}, add_blob=store.add_blob
    )
    (tmp_path / "Cu.eam").unlink()
    potential = build_user_potential(spec, blob_path=store.blob_path)
    assert potential.commands == ("pair_style eam/alloy", "pair_coeff * * ${models}/Cu.eam Cu")
    assert potential.type_elements == ("Cu",)
    potential.link_files(tmp_path / "models")
    potential.link_files(tmp_path / "models")
    assert (tmp_path / "models" / "Cu.eam").read_text() == "table"


def build_from(tmp_path: Path, coefficients: str) -> LammpsPotential:
    (tmp_path / "mine.pair").write_text(f"pair_style hybrid eam eam/alloy lj/cut 3.4\n{coefficients}\n")
    store = Store(tmp_path / "store")
    spec = build_calculator_spec(
        "lammps", potential=str(tmp_path / "mine.pair"), overrides={"elements": ["K"]}, add_blob=store.add_blob
    )
    return build_user_potential(spec, blob_path=store.blob_path)


def test_stray_files_replace_no_element_style_or_number(tmp_path: Path) -> None:
    (tmp_path / "eam").mkdir()
    for name in ("K", "1", "3.4", "lj", "eam/alloy", "K.eam"):
        (tmp_path / name).write_text("stray")
    potential = build_from(tmp_path, "pair_coeff 1 1 eam/alloy K.eam K\npair_coeff 1 1 lj/cut 3.4 1")
    assert potential.commands[1:] == ("pair_coeff 1 1 eam/alloy ${models}/K.eam K", "pair_coeff 1 1 lj/cut 3.4 1")
    assert list(potential.files) == ["K.eam"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.eam").write_text(folder)
    with pytest.raises(InputError, match=r"two files p\.eam: .*a/p\.eam and .*b/p\.eam\. Rename one"):
        build_from(tmp_path, "pair_coeff 1 1 eam 1 a/p.eam\npair_coeff 1 1 eam 2 b/p.eam")
    potential = build_from(tmp_path, "pair_coeff 1 1 eam 1 a/p.eam\npair_coeff 1 1 eam 2 a/../a/p.eam")
    assert potential.files["p.eam"].read_text() == "a"


@pytest.mark.parametrize("word", ["/etc/passwd", "~/p.eam", "../p.eam", "linked.eam"])
def test_files_from_elsewhere_are_refused(tmp_path: Path, word: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "p.eam").write_text("elsewhere")
    (folder / "linked.eam").symlink_to(tmp_path / "p.eam")
    with pytest.raises(InputError, match=f"name {word}, which lies outside of their folder"):
        build_from(folder, f"pair_coeff 1 1 eam 1 {word}")


def test_a_named_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name p\.eam, but there is no such file"):
        build_from(tmp_path, "pair_coeff 1 1 eam 1 p.eam")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pair_coeff * * 1 1\n", "have no pair_style"),
        ("pair_style lj/cut 3\n", "have no pair_coeff"),
        (
            "pair_style lj/cut 3\npair_coeff * * 1 1\nshell rm -rf x\n",
            "have 'shell rm -rf x'; only pair_style, pair_coeff",
        ),
        ("pair_style python 5.0\npair_coeff * * py.Mine K\n", "runs code from a file"),
        ("pair_style hybrid lj/cut 3 mliap model mliappy x\npair_coeff * * 1 1\n", "runs code from a file"),
        ("mass 1 39\npair_style lj/cut 3\npair_coeff * * 1 1\n", "masses by element.*Remove the line"),
    ],
)
def test_wrong_commands_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.pair").write_text(text)
    with pytest.raises(InputError, match=message):
        read_pair_commands(tmp_path / "mine.pair")


def test_binary_or_missing_commands_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.pair").write_bytes(b"\xff\xfe\x00pair")
    with pytest.raises(InputError, match="are no text"):
        read_pair_commands(tmp_path / "mine.pair")
    with pytest.raises(InputError, match="cannot be read"):
        read_pair_commands(tmp_path / "absent.pair")


@pytest.mark.parametrize("elements", [None, [], "K Bi", [1, 2]])
def test_order_of_types_must_be_given(tmp_path: Path, elements: object) -> None:
    (tmp_path / "mine.pair").write_text("pair_style lj/cut 3\npair_coeff * * 1 1\n")
    spec = CalculatorSpec("lammps", overrides={"elements": elements}, models={"commands": str(tmp_path / "mine.pair")})
    with pytest.raises(InputError, match=r"elements is .*, needs the element of each atom type"):
        build_user_potential(spec, blob_path=Path)


def test_potential_that_is_not_there_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(InputError, match=r"calculator.potential is 'k-na', needs a shipped potential \("):
        build_calculator_spec("pod", potential="k-na", add_blob=store.add_blob)
    with pytest.raises(InputError, match="needs a file with your pair_style and pair_coeff lines"):
        build_calculator_spec("lammps", potential=str(tmp_path / "x"), add_blob=store.add_blob)
