import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.drive import run_calculations
from workflows.jobs import worker
from workflows.jobs.attempt import (
    SILENCE_LIMIT_S,
    Attempt,
    claim_attempt,
    derive_state,
    list_attempts,
    revoke_newest,
)
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import ACCEPT_BREAK
from workflows.jobs.durable import compute_sha256, create_json, read_sealed_json, seal, write_json
from workflows.jobs.store import Failed, Finished, Store
from workflows.jobs.worker import take_attempt, work


def flip_bit(path: Path, *, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at if at >= 0 else len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def finish(store: Store, calculation: Calculation) -> tuple[str, Finished]:
    key = store.create(calculation)
    work(store.job_directory(key))
    result = store.result(key)
    assert isinstance(result, Finished)
    return key, result


def test_a_file_is_created_once(tmp_path: Path) -> None:
    assert create_json(tmp_path / "a.json", {"x": 1})
    assert not create_json(tmp_path / "a.json", {"x": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_seal_shows_every_flipped_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, seal({"x": 1, "y": [0.1]}))
    sound = path.read_bytes()
    assert read_sealed_json(path) == {"x": 1, "y": [0.1]}
    for position in range(len(sound)):
        path.write_bytes(sound)
        flip_bit(path, at=position)
        document = read_sealed_json(path)
        assert document is None or document == {"x": 1, "y": [0.1]}  # a flip in white space changes nothing


def test_worker_finishes_a_calculation(store: Store) -> None:
    key, result = finish(store, Calculation("toy_sum", settings={"numbers": (2, 3)}))
    assert result.values == {"sum": 5.0}
    assert result.files["numbers"].read_text() == "2.0\n3.0"
    assert result.executions == 1
    assert derive_state(store.job_directory(key)) == "done"


def test_a_second_worker_has_nothing_to_do(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    key, _ = finish(store, Calculation("toy_sum"))
    work(store.job_directory(key))
    assert "nothing to do" in capsys.readouterr().out
    assert len(list_attempts(store.job_directory(key))) == 1


def test_a_failure_of_the_science_is_a_result(store: Store) -> None:
    key = store.create(Calculation("toy_sum", settings={"fail": "science"}))
    assert work(store.job_directory(key)) == 1
    result = store.result(key)
    assert isinstance(result, Failed)
    assert "did not converge in 100 iterations" in result.reason


@pytest.mark.parametrize(("fail", "state"), [("passing", "failed"), ("bug", "crashed")])
def test_other_failures_leave_no_result(store: Store, fail: str, state: str) -> None:
    key = store.create(Calculation("toy_sum", settings={"fail": fail}))
    assert work(store.job_directory(key)) == 1
    assert store.result(key) is None
    assert derive_state(store.job_directory(key)) == state


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
@pytest.mark.parametrize("name", ["result.json", "attempts/000/numbers.txt"])
def test_a_damaged_result_is_quarantined_and_computed_again(store: Store, damage: str, name: str) -> None:
    key, first = finish(store, Calculation("toy_sum"))
    path = store.job_directory(key) / name
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "flip":
        flip_bit(path)
    else:
        path.unlink()
    assert store.result(key) is None
    work(store.job_directory(key))
    again = store.result(key)
    assert isinstance(again, Finished)
    assert again.values == first.values
    assert again.executions == 2
    if damage != "remove":
        assert any((store.root / "quarantine").iterdir())


def test_longer_dynamics_computes_only_what_is_new(store: Store) -> None:
    _, short = finish(store, Calculation("toy_walk", seed=3))
    before = {path: (path / "path.npy").stat().st_mtime_ns for path in short.segments}
    _, longer = finish(store, Calculation("toy_walk", settings={"steps": 60}, seed=3))
    assert longer.segments[:4] == short.segments
    assert {path: (path / "path.npy").stat().st_mtime_ns for path in short.segments} == before
    assert len(longer.segments) == 6


@pytest.mark.parametrize("name", ["path.npy", "checkpoint.npy", "segment.json"])
def test_a_damaged_segment_is_computed_again_to_the_same_bytes(store: Store, name: str) -> None:
    key, result = finish(store, Calculation("toy_walk"))
    digests = [compute_sha256(path / "path.npy") for path in result.segments]
    flip_bit(result.segments[1] / name)
    assert store.result(key) is None
    work(store.job_directory(key))
    again = store.result(key)
    assert isinstance(again, Finished)
    assert [compute_sha256(path / "path.npy") for path in again.segments] == digests


def test_segments_that_no_longer_follow_are_set_aside(store: Store) -> None:
    key, result = finish(store, Calculation("toy_walk"))
    chain = store.chain(store.load(key))
    assert chain is not None
    shutil.rmtree(result.segments[1])
    other = store.job_directory(key) / "other"
    other.mkdir()
    (other / "path.npy").write_bytes(b"another outcome")
    chain.commit(1, other, {})
    assert [segment.number for segment in chain.committed()] == [0, 1]


def test_the_first_of_many_claims_and_starts_wins(store: Store) -> None:
    job = store.job_directory(store.create(Calculation("toy_sum")))
    barrier = threading.Barrier(8)
    claimed: list[int] = []
    started: list[bool] = []

    def compete() -> None:
        barrier.wait()
        attempt = claim_attempt(job, target="test")
        if attempt is not None:
            claimed.append(attempt.number)
        barrier.wait()
        started.append(list_attempts(job)[0].start(None))

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(set(claimed))
    assert started.count(True) == 1


def test_a_revoked_attempt_never_starts(store: Store) -> None:
    job = store.job_directory(store.create(Calculation("toy_sum")))
    attempt = claim_attempt(job, target="test")
    assert attempt is not None
    assert attempt.revoke()
    assert take_attempt(job, attempt.submission()["token"]) is None
    assert derive_state(job) == "new"


def test_a_started_attempt_is_not_revoked(store: Store) -> None:
    job = store.job_directory(store.create(Calculation("toy_sum")))
    attempt = claim_attempt(job, target="test")
    assert attempt is not None
    assert take_attempt(job, attempt.submission()["token"]) is not None
    assert not attempt.revoke()
    assert derive_state(job) == "running"


def test_a_wrong_token_starts_nothing(store: Store) -> None:
    job = store.job_directory(store.create(Calculation("toy_sum")))
    claim_attempt(job, target="test")
    assert take_attempt(job, "another") is None


def start_elsewhere(store: Store, **process: str) -> Attempt:
    """An attempt whose worker is described as one that is not here."""
    job = store.job_directory(store.create(Calculation("toy_sum")))
    attempt = claim_attempt(job, target="test")
    assert attempt is not None
    attempt.start(None)
    path = attempt.directory / "started.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "process": {**document["process"], **process}}))
    return attempt


def age(attempt: Attempt, *, by_s: float = SILENCE_LIMIT_S + 1) -> None:
    """Have the last sign of life of an attempt lie so far back."""
    for name in ("submission.json", "started.json"):
        path = attempt.directory / name
        if path.exists():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - by_s))


def test_a_worker_of_a_rebooted_machine_is_lost(store: Store) -> None:
    attempt = start_elsewhere(store, boot="another")
    assert derive_state(attempt.directory.parents[1]) == "lost"


@pytest.mark.parametrize(
    "process", [{"host": "elsewhere"}, {"host": "elsewhere", "boot": "x"}, {"namespace": "pid:[1]"}]
)
def test_a_worker_that_cannot_be_seen_is_waited_for_until_it_is_silent(store: Store, process: dict[str, str]) -> None:
    attempt = start_elsewhere(store, **process)
    job = attempt.directory.parents[1]
    assert derive_state(job) == "unknown"
    age(attempt)
    assert derive_state(job) == "silent"
    assert attempt.give_sign()
    assert derive_state(job) == "unknown"


def test_an_attempt_whose_submitter_cannot_be_seen_is_abandoned_once_it_is_old(store: Store) -> None:
    job = store.job_directory(store.create(Calculation("toy_sum")))
    attempt = claim_attempt(job, target="test")
    assert attempt is not None
    document = dict(attempt.submission())
    document["submitter"]["host"] = "elsewhere"
    write_json(attempt.directory / "submission.json", document)
    assert derive_state(job) == "unknown"
    age(attempt)
    assert derive_state(job) == "abandoned"


def test_a_worker_that_was_taken_for_lost_stops(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SIGN_EVERY_S", 0.01)
    attempt = start_elsewhere(store)
    attempt.end("lost", passing=True)
    with pytest.raises(worker.StoppedError, match="took it for lost"), worker.give_signs_of_life(attempt):
        threading.Event().wait(60)
    ended = attempt.ended()
    assert ended is not None
    assert ended["status"] == "lost"


def test_a_worker_gives_signs_of_life(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SIGN_EVERY_S", 0.01)
    attempt = start_elsewhere(store)
    given = threading.Event()
    touch = Attempt.give_sign

    def give_sign(self: Attempt) -> bool:
        is_own = touch(self)
        given.set()
        return is_own

    monkeypatch.setattr(Attempt, "give_sign", give_sign)
    age(attempt)
    with worker.give_signs_of_life(attempt):
        assert given.wait(60)
    assert not attempt.is_silent()


def test_an_attempt_is_revoked_by_hand_unless_its_process_lives(store: Store) -> None:
    attempt = start_elsewhere(store)
    job = attempt.directory.parents[1]
    assert not revoke_newest(job)
    assert derive_state(job) == "running"
    path = attempt.directory / "started.json"
    path.write_text(path.read_text().replace('"host": "', '"host": "not-'))
    assert revoke_newest(job)
    assert derive_state(job) == "lost"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '"text"'])
@pytest.mark.parametrize("name", ["submission.json", "started.json", "progress.json", "exit.json", "worker.log"])
def test_damage_of_a_file_of_an_attempt_costs_one_more_at_most(store: Store, name: str, content: str) -> None:
    calculation = Calculation("toy_sum")
    attempt = start_elsewhere(store, boot="another")
    attempt.end("crashed", reason="made up", passing=True)
    if name in ("submission.json", "started.json"):  # otherwise exit.json would tell
        (attempt.directory / "exit.json").unlink()
    if name == "submission.json":
        (attempt.directory / "started.json").unlink()
    (attempt.directory / name).write_text(content)
    if name == "started.json":
        age(attempt)
    (result,) = run_calculations([calculation], store=store)
    assert result.values == {"sum": 3.0}
    assert len(list_attempts(attempt.directory.parents[1])) == 2


def test_changed_files_are_refused(store: Store) -> None:
    key = store.create(Calculation("toy_sum"))
    path = store.job_directory(key) / "calculation.json"
    path.write_text(path.read_text().replace('"settings": {}', '"settings": {"numbers": [9]}'))
    with pytest.raises(InputError, match="its files were changed"):
        store.load(key)


def test_a_store_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"schema_version": 99}')
    with pytest.raises(InputError, match="has schema version 99, this alkaliflow knows 1"):
        Store(tmp_path)


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        Store(tmp_path / "file" / "store")


def test_keys_are_found_by_their_beginning(store: Store) -> None:
    key = store.create(Calculation("toy_sum"))
    assert store.find_key(key[:8]) == key
    with pytest.raises(InputError, match="no calculation"):
        store.find_key("zz")


@pytest.mark.parametrize("key", ["../victim", "", "ab", "g" * 64, "A" * 64, "../" + "a" * 61])
def test_what_is_no_key_becomes_no_path(store: Store, key: str) -> None:
    for find in (store.job_directory, store.result, store.load, store.open_chain, store.blob_path):
        with pytest.raises(InputError, match="is no key or SHA-256, needs 64 hexadecimal digits"):
            find(key)


@pytest.mark.parametrize("path", ["../../../secret.txt", "attempts/000/link.txt"])
def test_a_result_touches_no_file_outside_its_calculation(store: Store, path: str) -> None:
    key, result = finish(store, Calculation("toy_sum"))
    secret = store.root / "secret.txt"
    secret.write_text("secret")
    (result.files["numbers"].parent / "link.txt").symlink_to(secret)
    document = read_sealed_json(store.job_directory(key) / "result.json")
    assert document is not None
    document["files"]["numbers"]["path"] = path
    write_json(store.job_directory(key) / "result.json", seal(document))
    assert store.result(key) is None
    assert secret.read_text() == "secret"
    assert [found.name[:24] for found in (store.root / "quarantine").iterdir()] == [f"{key[:12]}-result.json"]


@pytest.mark.parametrize("document", [{}, {"status": "done"}, {"status": "done", "files": [], "chain": "../x"}])
def test_a_result_that_lacks_what_it_needs_counts_as_damaged(store: Store, document: dict[str, object]) -> None:
    key, _ = finish(store, Calculation("toy_sum"))
    write_json(store.job_directory(key) / "result.json", seal(document))
    assert store.result(key) is None
    work(store.job_directory(key))
    assert isinstance(store.result(key), Finished)


def test_a_worker_learns_from_its_environment_whether_a_break_is_accepted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.create(Calculation("toy_walk"))
    attempt = claim_attempt(store.job_directory(key), target="test")
    assert attempt is not None
    found = []
    for value in ("0", "1"):
        monkeypatch.setenv(ACCEPT_BREAK, value)
        workspace = worker.build_workspace(store, key, store.load(key), attempt, limit_s=1.0)
        found.append(workspace.accept_break)
    assert found == [False, True]


def test_a_worker_refuses_a_calculator_whose_file_was_changed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("coefficients")
    digest = store.add_blob(tmp_path / "model")
    key = store.create(Calculation("toy_sum", calculator=CalculatorSpec("pod", models={"coefficients": digest})))
    flip_bit(store.blob_path(digest))
    assert work(store.job_directory(key)) == 1
    assert store.result(key) is None
    ended = list_attempts(store.job_directory(key))[-1].ended()
    assert ended is not None
    assert "missing from the store or damaged" in ended["reason"]


def test_blobs_are_kept_by_content_and_checked(store: Store, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("coefficients")
    digest = store.add_blob(tmp_path / "model")
    assert store.add_blob(tmp_path / "model") == digest
    store.check_blobs({"coefficients": digest})
    flip_bit(store.blob_path(digest))
    with pytest.raises(InputError, match="missing from the store or damaged"):
        store.check_blobs({"coefficients": digest})
    assert [path.name for path in store.blob_path(digest).parent.iterdir()] == [digest]
