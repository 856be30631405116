"""A whole Slurm on this machine, in a folder of its own: munge, controller, node. Needs root."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin"
_NODE = "node0"
_CONFIG = """\
ClusterName=throwaway
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
MessageTimeout=10
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MaxArraySize=20001
MaxJobCount=30000
MinJobAge=300
KillWait=5
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory_MB} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def list_missing() -> list[str]:
    """Programs of Slurm that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]


def wait_until(condition: Callable[[], object], *, what: str, timeout_s: float = 60.0) -> None:
    """Ask again and again until something holds.

    Raises:
        TimeoutError: if it does not in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.1)  # the interval of asking, not a guess of when it will hold


@dataclass
class OneNodeSlurm:
    """A controller and a node on this machine.

    Attributes:
        folder: its state, logs and sockets.
        cores: that the node offers; more than there are is fine.
        memory_MB: likewise.
    """

    folder: Path
    cores: int = 4
    memory_MB: int = 8000
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which its commands are found and find it."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _PATH}

    def start(self) -> None:
        """Start it, and wait until the node is idle."""
        munge = self.folder / "munge"
        munge.mkdir(parents=True)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        (munge / "key").write_bytes(os.urandom(1024))
        (munge / "key").chmod(0o400)
        config = _CONFIG.format(
            host=socket.gethostname(),
            node=_NODE,
            folder=self.folder,
            controller_port=_free_port(),
            node_port=_free_port(),
            cores=self.cores,
            memory_MB=self.memory_MB,
        )
        (self.folder / "slurm.conf").write_text(config)
        self._spawn(
            "munged",
            *("--foreground", "--force", f"--key-file={munge / 'key'}", f"--socket={munge / 'socket'}"),
            *(f"--log-file={munge / 'log'}", f"--pid-file={munge / 'pid'}", f"--seed-file={munge / 'seed'}"),
        )
        wait_until((munge / "socket").exists, what="munge")
        self.start_controller()
        self.start_node()

    def start_controller(self) -> None:
        """Start the controller, as after a crash."""
        self._spawn("slurmctld", "-D")
        wait_until(lambda: self.run("scontrol", "ping", check=False).returncode == 0, what="slurmctld")
        if "slurmd" in self.daemons:
            self.heal()

    def start_node(self) -> None:
        """Start the node's daemon, as after a crash."""
        self._spawn("slurmd", "-D", "-N", _NODE)
        self.heal()

    def heal(self) -> None:
        """Have the node take jobs again, as an administrator would after a crash of the controller."""

        def is_well() -> bool:
            state = self.node_state()
            if state.startswith(("drain", "down")):
                self.run("scontrol", "update", f"nodename={_NODE}", "state=resume", check=False)
            return state in ("idle", "mixed", "allocated", "completing")

        wait_until(is_well, what="a node that takes jobs", timeout_s=90)

    def kill(self, daemon: str) -> None:
        """Kill a daemon as a power cut would."""
        process = self.daemons.pop(daemon)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End its jobs, then the daemons."""
        if "slurmctld" in self.daemons:
            self.run("scancel", "--me", check=False)
            wait_until(lambda: not self.run("squeue", "--noheader", check=False).stdout.strip(), what="last jobs")
        for daemon in ("slurmd", "slurmctld", "munged"):
            if daemon in self.daemons:
                self.daemons[daemon].send_signal(signal.SIGTERM)
                try:
                    self.daemons[daemon].wait(timeout=10)
                except subprocess.TimeoutExpired:
                    self.kill(daemon)

    def node_state(self) -> str:
        """What the controller thinks of the node."""
        return self.run("sinfo", "--noheader", "--format=%T", check=False).stdout.strip().rstrip("*")

    def jobs(self) -> list[tuple[str, str]]:
        """Name and state of each job in the queue."""
        out = self.run("squeue", "--noheader", "--array", "--format=%j|%T", check=False).stdout
        return [(name, state) for name, _, state in (line.partition("|") for line in out.splitlines())]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One of its commands."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=check, timeout=60)

    def _spawn(self, program: str, *arguments: str) -> None:
        path = shutil.which(program, path=_PATH)
        if path is None:
            raise FileNotFoundError(program)
        environment = {**os.environ, **self.environment}
        with (self.folder / f"{program}.out").open("ab") as out:
            self.daemons[program] = subprocess.Popen(
                [path, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )


def write_wrapper(folder: Path, name: str, *, text: str, environment: Mapping[str, str]) -> Path:
    """A command that stands before the real one in PATH; `$REAL` is the real one.

    Returns:
        The folder to put first in PATH.
    """
    folder.mkdir(exist_ok=True)
    real = shutil.which(name, path=environment["PATH"])
    script = folder / name
    script.write_text(f"#!/bin/sh\nREAL={real}\n{text}\n")
    script.chmod(0o755)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Start a cluster and stop it again, to see whether that can be done here."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = OneNodeSlurm(Path(folder) / "slurm")
        try:
            cluster.start()
        except (OSError, TimeoutError) as error:
            sys.stderr.write(f"Slurm does not start here: {error}\n")
            return 1
        finally:
            cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
