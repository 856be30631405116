"""A run's directory: made once, opened by one process, never mixed with anything else."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from structures.errors import InputError
from workflows import run_directory, run_lock
from workflows.configuration import PotassiumDiffusionConfig, config_sha256, resolve_config
from workflows.configuration.resolve import write_yaml
from workflows.run_directory import RunDirectory, choose_path, find_differences, find_runs, open_run

FLOW = "potassium-diffusion"
CONFIG = PotassiumDiffusionConfig()


@pytest.fixture(autouse=True)
def _no_lock_stays(tmp_path: Path) -> Iterator[None]:
    yield
    for path in tmp_path.rglob(run_lock.LOCK_FILE):
        run_lock.release(path.parent)


def make(path: Path, config: PotassiumDiffusionConfig = CONFIG, *, flow: str = FLOW) -> RunDirectory:
    return open_run(path, flow=flow, config=config, store=path.parent / "store", origin={"preset": "demo"})


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_a_new_directory_says_what_the_run_is(tmp_path: Path) -> None:
    run = make(tmp_path / "deep" / "run")
    assert names(run.path) == {"config.yaml", "run.json", "run.lock"}
    again = RunDirectory.read(run.path)
    assert again == run
    assert again.store == tmp_path / "deep" / "store"
    assert resolve_config(run.path / "config.yaml").config == CONFIG
    assert run.state()["status"] == "created"


def test_an_empty_directory_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert make(tmp_path / "run").flow == FLOW


def test_the_same_run_opens_again(tmp_path: Path) -> None:
    first = make(tmp_path / "run")
    run_lock.release(first.path)
    assert make(tmp_path / "run") == first


def test_one_process_may_open_it_twice(tmp_path: Path) -> None:
    assert make(tmp_path / "run") == make(tmp_path / "run")


def test_another_configuration_is_refused_with_the_difference(tmp_path: Path) -> None:
    make(tmp_path / "run")
    other = resolve_config(sets=["dynamics.temperature_K=350"]).config
    with pytest.raises(
        InputError, match=r"another run: dynamics\.temperature_K is 300\.0 there and 350\.0 now.*--workdir"
    ):
        make(tmp_path / "run", other)


def test_another_flow_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "run")
    with pytest.raises(InputError, match="holds a run of potassium-diffusion, needs one of potential-distillation"):
        make(tmp_path / "run", flow="potential-distillation")


def test_an_edited_configuration_is_noticed(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    path = run.path / "config.yaml"
    path.write_text(path.read_text().replace("temperature_K: 300.0", "temperature_K: 301.0"))
    edited = resolve_config(path).config
    with pytest.raises(InputError, match="its configuration was edited"):
        make(tmp_path / "run", edited)


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"holds other files \(thesis\.tex\), needs a new or empty directory"):
        make(tmp_path / "run")
    assert names(tmp_path / "run") == {"thesis.tex"}


def test_a_configuration_of_the_user_is_no_beginning_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("replicas: 3\n")
    with pytest.raises(InputError, match=r"holds other files \(config\.yaml\)"):
        make(tmp_path / "run")


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(InputError, match="is a file, needs a directory"):
        make(tmp_path / "run")


def test_a_creation_that_was_cut_short_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_directory, "create_json", die)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "run")
    assert "run.json" not in names(tmp_path / "run")
    run_lock.release(tmp_path / "run")
    assert make(tmp_path / "run").state()["status"] == "created"


@pytest.mark.parametrize(
    ("number", "part"), [(errno.ENOSPC, "is full"), (errno.EROFS, "read-only"), (errno.EACCES, "may not be written")]
)
def test_a_disk_that_cannot_be_written_is_explained(
    number: int, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Path:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(run_directory, "write_text_atomically", fail)
    with pytest.raises(InputError, match=part):
        make(tmp_path / "run")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere; run the tests as an ordinary user")
def test_a_directory_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="may not be written by you"):
            make(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_too_little_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_directory, "MIN_FREE_MB", 10**12)
    with pytest.raises(InputError, match=r"MB free, needs 1000000000000 MB"):
        make(tmp_path / "run")


HOLD = """
import sys, time
from pathlib import Path
from workflows import run_lock
run_lock.acquire(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    run_lock.release(run.path)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            InputError, match=rf"process {other.pid} on .* is working on this run.*kill -INT {other.pid}"
        ):
            make(tmp_path / "run")
        run.record(status="running")
        assert run.state()["status"] == "running"
        other.kill()
        other.wait()
    assert run.state()["status"] == "interrupted"
    assert make(tmp_path / "run").path == run.path


def test_the_state_is_kept_and_added_to(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    run.record(status="running", keys={"relax": "ab"})
    run.record(status="completed", wall_time_s=3.0)
    state = run.state()
    assert (state["status"], state["keys"], state["wall_time_s"]) == ("completed", {"relax": "ab"}, 3.0)


def test_an_input_file_that_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "potential.in"
    path.write_text("a")
    config = resolve_config(sets=["calculator.name=lammps", f"calculator.potential={path}"]).config
    make(tmp_path / "run", config)
    path.write_text("b")
    with pytest.raises(InputError, match=r"potential\.in: was changed after this run began"):
        make(tmp_path / "run", config)
    path.unlink()
    with pytest.raises(InputError, match=r"potential\.in: is missing"):
        make(tmp_path / "run", config)


def with_own_alloy(path: Path) -> PotassiumDiffusionConfig:
    return resolve_config(sets=["structure.cases=[control]", f"structure.alloy_file={path}"]).config


def test_structures_are_copied_and_the_copies_are_what_the_run_names(tmp_path: Path) -> None:
    original = tmp_path / "disk" / "slab.vasp"
    original.parent.mkdir()
    original.write_text("a slab")
    run = make(tmp_path / "run", with_own_alloy(original))
    copy = run.path / "inputs" / "alloy_file" / "slab.vasp"
    assert copy.read_text() == "a slab"
    assert str(tmp_path / "disk") not in (run.path / "config.yaml").read_text()
    assert make(tmp_path / "run", with_own_alloy(original)) == run
    original.unlink()
    run_lock.release(run.path)
    moved = run.path.rename(tmp_path / "elsewhere")
    config = resolve_config(moved / "config.yaml").config
    assert config.structure.alloy_file == str(moved / "inputs" / "alloy_file" / "slab.vasp")
    assert make(moved, config).config_sha256 == run.config_sha256
    (moved / "inputs" / "alloy_file" / "slab.vasp").write_text("another slab")
    with pytest.raises(InputError, match="a file that it names"):
        make(moved, config)


def test_a_run_of_an_earlier_version_lacks_keys_that_were_added_since(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    stored = run.read_config()
    del stored["dynamics"]["timestep_fs"]
    (run.path / "config.yaml").write_text(write_yaml(stored))
    document = json.loads((run.path / "run.json").read_text())
    document["config_sha256"] = config_sha256(CONFIG, known=stored)
    assert document["config_sha256"] != run.config_sha256
    (run.path / "run.json").write_text(json.dumps(document))
    assert make(run.path).path == run.path
    faster = CONFIG.model_copy(update={"dynamics": CONFIG.dynamics.model_copy(update={"timestep_fs": 1.0})})
    with pytest.raises(InputError, match=r"dynamics\.timestep_fs is"):
        make(run.path, faster)
    hotter = CONFIG.model_copy(update={"dynamics": CONFIG.dynamics.model_copy(update={"temperature_K": 350.0})})
    with pytest.raises(InputError, match=r"dynamics\.temperature_K is"):
        make(run.path, hotter)


def test_a_structure_that_changed_is_another_run(tmp_path: Path) -> None:
    original = tmp_path / "slab.vasp"
    original.write_text("a slab")
    make(tmp_path / "run", with_own_alloy(original))
    original.write_text("another slab")
    with pytest.raises(InputError, match="holds another run: its configuration was edited, or a file that it names"):
        make(tmp_path / "run", with_own_alloy(original))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"schema_version": 99}', "schema version 99"),
        ('{"schema_version": 1}', "damaged"),
    ],
)
def test_a_run_that_cannot_be_read_is_refused(content: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=part):
        RunDirectory.read(tmp_path)


def test_runs_are_found_newest_first_and_damaged_ones_passed_over(tmp_path: Path) -> None:
    for number, created in enumerate(
        ("2026-01-01T00:00:00+00:00", "2026-01-03T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
    ):
        run = make(tmp_path / f"run-{number}")
        document = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(json.dumps({**document, "created": created}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    assert [run.path.name for run in find_runs(tmp_path)] == ["run-1", "run-2", "run-0"]


def test_new_runs_count_up(tmp_path: Path) -> None:
    assert choose_path(tmp_path, flow="f", name="demo").name == "f-demo-1"
    (tmp_path / "f-demo-1").mkdir()
    assert choose_path(tmp_path, flow="f", name="demo").name == "f-demo-2"


def test_differences_are_named_by_their_dotted_key() -> None:
    old = {"a": {"b": 1, "c": 2}, "d": 3}
    assert find_differences(old, {"a": {"b": 1, "c": 5}, "e": 4}) == {"a.c": (2, 5), "d": (3, None), "e": (None, 4)}
