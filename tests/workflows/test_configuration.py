"""User files: what is accepted, what is refused, and in which words."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from structures.errors import InputError
from workflows.configuration import (
    PRESETS,
    DynamicsSection,
    PotassiumDiffusionConfig,
    config_sha256,
    find_input_files,
    resolve_config,
    write_yaml,
)
from workflows.configuration.commented import write_commented_yaml
from workflows.configuration.messages import known_keys, model_in, unit_of
from workflows.configuration.yaml_files import MAX_BYTES, parse_yaml, read_yaml_file
from workflows.flows import FLOWS
from workflows.recipes.dynamics_settings import MolecularDynamicsSettings


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refuse(*sets: str, preset: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        resolve_config(preset=preset, sets=sets)
    return str(caught.value)


# What wins


def test_later_sources_win_over_earlier_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "dynamics:\n  temperature_K: 310\n  production_ps: 9\nreplicas: 3\n")
    resolved = resolve_config(path, preset="demo", sets=["dynamics.temperature_K=320"])
    demo = resolve_config(preset="demo").config
    assert resolved.config.dynamics.temperature_K == 320
    assert resolved.config.dynamics.production_ps == 9
    assert resolved.config.replicas == 3
    assert resolved.config.structure == demo.structure
    assert resolved.origins["dynamics.temperature_K"] == "--set"
    assert resolved.origins["replicas"] == str(path)
    assert resolved.origins["structure.repeats"] == "preset demo"


def test_a_composition_replaces_another_as_a_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "structure:\n  alloy: {Bi: 1, Sb: 1}\n")
    assert resolve_config(path, sets=["structure.alloy={Bi: 2}"]).config.structure.alloy == {"Bi": 2}


def test_a_set_reaches_into_a_mapping() -> None:
    config = resolve_config(sets=["calculator.overrides.trust_code=true"]).config
    assert config.calculator.overrides == {"trust_code": True}


def test_an_empty_section_sets_nothing(tmp_path: Path) -> None:
    assert resolve_config(write(tmp_path / "c.yaml", "dynamics:\n")).config == PotassiumDiffusionConfig()


def test_a_file_of_comments_means_the_defaults(tmp_path: Path) -> None:
    assert resolve_config(write(tmp_path / "c.yaml", "# later\n")).config == PotassiumDiffusionConfig()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name: str) -> None:
    assert resolve_config(preset=name).config.dynamics.total_steps > 0


def test_the_publication_preset_runs_for_100_ps() -> None:
    assert resolve_config(preset="paper-002").config.dynamics.production_ps == 100


# Round trips


@pytest.mark.parametrize("name", FLOWS)
def test_a_commented_file_resolves_to_what_it_was_written_from(name: str, tmp_path: Path) -> None:
    entry = FLOWS[name]
    for preset in entry.presets:
        config = entry.resolve(preset=preset).config
        text = write_commented_yaml(config, flow=name, preset=preset, notes=entry.preset_notes())
        assert entry.resolve(write(tmp_path / f"{preset}.yaml", text)).config == config
        assert all(key.rsplit(".", 1)[-1] + ":" in text for key in known_keys(type(config)))


@pytest.mark.parametrize("name", FLOWS)
def test_the_registry_names_presets_that_exist(name: str) -> None:
    entry = FLOWS[name]
    assert set(entry.presets) == set(entry.preset_values()) == set(entry.preset_notes())
    assert entry.resolve(preset=entry.default_preset).config == entry.resolve().config


def test_a_written_configuration_resolves_to_itself(tmp_path: Path) -> None:
    config = resolve_config(preset="demo", sets=["structure.gap_A=3.1e0", "structure.alloy={Bi: 1, Sn: 1}"]).config
    assert resolve_config(write(tmp_path / "c.yaml", write_yaml(config))).config == config


def test_the_checksum_does_not_depend_on_how_it_was_written(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "dynamics: {temperature_K: 3.1e2}\n")
    from_file = resolve_config(path).provenance()["sha256"]
    assert from_file == resolve_config(sets=["dynamics.temperature_K=310"]).provenance()["sha256"]
    assert from_file != resolve_config().provenance()["sha256"]


@pytest.mark.parametrize("name", ["potassium-diffusion.yaml", "own-alloy.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    assert resolve_config(Path(__file__).parents[2] / "examples" / name).origins


# Mistakes


def test_the_message_has_file_key_value_expectation_and_fix(tmp_path: Path) -> None:
    path = write(tmp_path / "config.yaml", "dynamics:\n  temperature_K: -5\n")
    with pytest.raises(InputError) as caught:
        resolve_config(path)
    expected = "dynamics.temperature_K is -5, needs a value above 0 K. Set it, e.g. temperature_K: 300."
    assert str(caught.value) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("assignment", "part"),
    [
        ("dynamics.temprature_K=300", "dynamics.temprature_K is not a known key. Did you mean temperature_K?"),
        ("analysis.quantile=0.9", "analysis.quantile was removed. Use analysis.areal_density_per_nm2, atoms beyond"),
        ("temperature_K=300", "temperature_K is not a known key. Did you mean dynamics.temperature_K?"),
        ("xyzzy=1", "Known here: structure, calculator, dynamics"),
        ("dynamics.temperature_K=0", "needs a value above 0 K"),
        ("dynamics.timestep_fs=0", "needs a value above 0 fs"),
        ("dynamics.timestep_fs=-3", "dynamics.timestep_fs is -3"),
        ("dynamics.temperature_K=.nan", "needs a finite number in K"),
        ("dynamics.temperature_K=.inf", "needs a finite number in K"),
        ("dynamics.temperature_K=hot", 'is "hot", needs a number in K'),
        ("dynamics.temperature_K=true", "is true, needs a number in K"),
        ("dynamics.temperature_K='300'", 'is "300", needs a number in K'),
        ("dynamics=fast", 'dynamics is "fast", needs a section with keys of its own'),
        ("dynamics.ensemble=nvp", "needs 'nvt', 'npt' or 'nve'. Did you mean nvt?"),
        ("structure.repeats=[8, 0, 3]", "structure.repeats.1 is 0, needs a value above 0"),
        ("structure.repeats=[8, 3]", "structure.repeats is too short, needs more values. Set it, e.g. repeats: ["),
        ("structure.repeats=[8, 3, 3, 3]", "needs at most 3 of them"),
        ("structure.repeats=[8.5, 3, 3]", "is 8.5, needs a whole number"),
        ("structure.gap_A=0", "needs 'scan' or a value above 0 Å"),
        ("structure.gap_A=scna", "Did you mean scan?"),
        ("structure.vacuum_A=-1", "needs a value of at least 0 Å"),
        ("structure.alloy=M-BiSnSn", 'structure.alloy is "M-BiSnSn": '),
        ("structure.alloy=''", "structure.alloy is empty"),
        ("structure.alloy={Bi: 1, Fe: 1}", "Fe"),
        ("structure.alloy={Bi: -1}", "structure.alloy.Bi is -1"),
        ("structure.alloy=5", "needs text or a mapping"),
        ("structure.cases=[control, control]", "needs each once"),
        ("structure.cases=[]", "needs at least 1 of them"),
        ("structure.dislocation.burgers_vector=1/2[11-20]", "no lattice vector"),
        ("structure.dislocation.burgers_vector=sideways", "is not of the form"),
        ("replicas=0", "replicas is 0, needs a value above 0"),
        ("seed=-1", "seed is -1, needs a value of at least 0"),
        ("resources.cores=0", "resources.cores is 0"),
        ("guard.limit=1.5", "needs a value of at most 1"),
        ("replicas", "needs the form section.key=value"),
        ("=3", "needs the form section.key=value"),
        ("a..b=3", "needs the form section.key=value"),
        ("replicas.x=3", 'replicas is {"x": 3}, needs a whole number'),
        ("replicas=[1", "--set replicas=[1: line 1"),
    ],
)
def test_a_mistake_is_explained(assignment: str, part: str) -> None:
    message = refuse(assignment)
    assert part in message
    assert "pydantic" not in message
    assert "\n" not in message


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = (
        "structure: {gap_A: -1, alloy_file: gone.cif}\ndynamics: {temperature_K: -5, timstep_fs: 1}\nreplicas: many\n"
    )
    path = write(tmp_path / "c.yaml", text)
    with pytest.raises(InputError) as caught:
        resolve_config(path, sets=["resources.ranks=0", "nonsense"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 7
    assert sum(line.startswith(f"{path}: ") for line in lines) == 5
    assert sum(line.startswith("--set") for line in lines) == 2


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"--preset is deom, needs one of demo, .*Did you mean demo\?"):
        resolve_config(preset="deom")


@pytest.mark.parametrize(
    ("sets", "part"),
    [
        (
            ["dynamics.segment_ps=0.1"],
            "segment_ps is 0.1 (33 steps), needs a whole multiple of frame_every_ps (50 steps)",
        ),
        (["dynamics.frame_every_ps=0.001"], "frame_every_ps is 0.001, needs at least one timestep (0.003 ps)"),
        (["dynamics.fixed_regions=[alloy, potassium]"], "needs a region that moves"),
        (["dynamics.thermostatted_regions=[anchor]"], "names 'anchor', which fixed_regions holds still"),
        (["dynamics.ensemble=npt", "structure.vacuum_A=0"], "but ensemble npt scales the whole cell"),
        (["dynamics.ensemble=npt", "dynamics.fixed_regions=[]"], "a cell with vacuum has no pressure along z"),
        (["resources.cores=2", "resources.ranks=4"], "ranks x threads is 4 x 1 = 4, needs at most cores (2)"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(sets: list[str], part: str) -> None:
    message = refuse(*sets)
    assert part in message
    assert message.startswith("--set: ")


def test_npt_without_vacuum_is_accepted() -> None:
    sets = ["dynamics.ensemble=npt", "structure.vacuum_A=0", "dynamics.fixed_regions=[]"]
    assert resolve_config(sets=sets).config.dynamics.ensemble == "npt"


# Files


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x7fELF\x02\x00\xff", "is not text"),
        (b"- a\n- b\n", "holds no sections"),
        (b"a: 1\na: 2\n", "line 2, column 1 is not valid: the key 'a' stands twice"),
        (b"dynamics:\n  heat_ps: 1\n  heat_ps: 2\n", "the key 'heat_ps' stands twice"),
        (b"a: [1, 2\n", "is not valid"),
        (b"a: &x [1]\nb: *x\n", "aliases"),
        (b"a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        (b"1: 2\n", "the key 1 is not text"),
        (b"a: 1\n---\nb: 2\n", "is not valid"),
        (b"[" * 20_000, "nested too deeply"),
        (b"# " + b"x" * MAX_BYTES, f"at most {MAX_BYTES} are read"),
    ],
)
def test_a_broken_file_is_refused(content: bytes, part: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_yaml_file(path)
    assert part in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "config.yaml", "a: 1\n")
    with pytest.raises(InputError, match=r"no such file \(beside it: config\.yaml\)"):
        read_yaml_file(tmp_path / "configuration.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_yaml_file(tmp_path)


def test_numbers_and_words_mean_what_they_look_like() -> None:
    text = (
        "{a: 1e-5, b: 1E3, c: no, d: on, e: true, f: 010, g: 1_000, h: 12:30, i: ~, j: .5, k: -2.5e-3, l: 2026-01-01}"
    )
    assert parse_yaml(text, name="x") == {
        "a": 1e-5,
        "b": 1000.0,
        "c": "no",
        "d": "on",
        "e": True,
        "f": 8,
        "g": "1_000",
        "h": "12:30",
        "i": None,
        "j": 0.5,
        "k": -0.0025,
        "l": "2026-01-01",
    }


WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc"]))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | WORDS,
        lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
        max_leaves=8,
    )
)
def test_what_yaml_writes_is_read_back(value: object) -> None:
    assert parse_yaml(json.dumps(value, ensure_ascii=False), name="x") == value


def test_the_loader_leaves_others_alone() -> None:
    assert yaml.safe_load("a: no") == {"a": False}


# Paths


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    alloy = write(tmp_path / "inputs" / "alloy.cif", "x")
    metal = write(tmp_path / "elsewhere" / "metal.cif", "y")
    path = write(tmp_path / "inputs" / "c.yaml", "structure: {alloy_file: alloy.cif}\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = resolve_config(path, sets=["structure.potassium_file=metal.cif"]).config
    assert config.structure.alloy_file == str(alloy)
    assert config.structure.potassium_file == str(metal)
    assert set(find_input_files(config)) == {str(alloy), str(metal)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alloy", "S-BiSnSb"),
        ("a_A", "4.5"),
        ("z", "0.23"),
        ("repeats", "[2, 2, 1]"),
        ("dislocation.arrangement", "dipole"),
        ("seed", "3"),
    ],
)
def test_what_a_slab_of_ones_own_makes_meaningless_is_refused(key: str, value: str, tmp_path: Path) -> None:
    alloy = write(tmp_path / "slab.vasp", "x")
    message = refuse(f"structure.alloy_file={alloy}", f"structure.{key}={value}")
    name = key.partition(".")[0]
    assert f"structure.{name} is " in message
    assert f"has no effect with alloy_file: that slab is taken as it is. Take out {name}, or alloy_file." in message


@pytest.mark.parametrize("preset", [None, "demo", "paper-002"])
def test_a_slab_of_ones_own_leaves_no_trace_of_an_alloy_that_was_not_built(preset: str | None, tmp_path: Path) -> None:
    sets = [f"structure.alloy_file={write(tmp_path / 'slab.vasp', 'x')}"]
    config = resolve_config(preset=preset, sets=sets).config
    unused = {"alloy", "a_A", "c_A", "z", "repeats", "dislocation", "seed"}
    assert not unused & set(config.model_dump(mode="json")["structure"])
    assert unused < set(resolve_config(preset=preset).config.model_dump(mode="json")["structure"])
    assert PotassiumDiffusionConfig.model_validate(config.model_dump(mode="json"), strict=False) == config
    text = write_commented_yaml(resolve_config(preset=preset).config, flow="f", preset="p", notes={})
    assert text.count("(not with alloy_file)") == len(unused)


def test_equal_files_are_equal_wherever_they_lie(tmp_path: Path) -> None:
    for folder, content in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "slab.vasp", content)
    first, same, other = (
        config_sha256(resolve_config(sets=[f"structure.alloy_file={tmp_path / folder / 'slab.vasp'}"]).config)
        for folder in "abc"
    )
    assert first == same != other


def test_a_file_that_is_missing_is_named() -> None:
    assert "structure.alloy_file is gone.cif, needs a file that exists" in refuse("structure.alloy_file=gone.cif")


def test_the_name_of_a_shipped_potential_is_no_path() -> None:
    assert resolve_config().config.calculator.potential == "k-bi-sn-sb"


# Times and steps


@given(
    timestep_fs=st.sampled_from([0.5, 1.0, 2.0, 3.0, 4.0]),
    production_ps=st.floats(min_value=0.01, max_value=500.0),
    heat_ps=st.floats(min_value=0.0, max_value=20.0),
)
def test_stages_are_whole_segments_and_never_shorter_than_asked(
    timestep_fs: float, production_ps: float, heat_ps: float
) -> None:
    dynamics = DynamicsSection(
        timestep_fs=timestep_fs,
        production_ps=production_ps,
        heat_ps=heat_ps,
        segment_ps=timestep_fs,
        frame_every_ps=timestep_fs / 10,
        thermo_every_ps=timestep_fs / 100,
    )
    for steps, time_ps in ((dynamics.production_steps, production_ps), (dynamics.heat_steps, heat_ps)):
        assert steps % dynamics.segment_steps == 0
        assert steps * timestep_fs / 1000 >= time_ps - 1e-3
        assert (steps - dynamics.segment_steps) * timestep_fs / 1000 < time_ps


def test_a_length_of_whole_segments_is_kept() -> None:
    dynamics = DynamicsSection(production_ps=21.0, segment_ps=3.0)
    assert dynamics.production_steps == 7000
    assert dynamics.segment_steps == 1000


def test_the_dynamics_fits_the_recipe() -> None:
    settings = MolecularDynamicsSettings(**DynamicsSection().recipe_settings())
    assert settings.production_steps == DynamicsSection().production_steps
    assert settings.fixed_regions == ("anchor",)


def test_seeds_count_up_from_the_first() -> None:
    assert resolve_config(sets=["seed=7", "replicas=3"]).config.seeds == (7, 8, 9)


def test_a_name_wears_its_unit() -> None:
    assert [unit_of(name) for name in ("cutoff_A", "drift_eV_per_atom", "heat_ps", "z")] == ["Å", "eV/atom", "ps", ""]


def test_every_key_is_described() -> None:
    def undescribed(model: type[BaseModel], prefix: str = "") -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            if not field.description:
                found.append(prefix + name)
            section = model_in(field.annotation)
            if section is not None:
                found += undescribed(section, f"{prefix}{name}.")
        return found

    for entry in FLOWS.values():
        assert undescribed(entry.config_model()) == []
