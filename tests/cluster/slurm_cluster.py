"""A Slurm cluster on this machine: a controller and two nodes, each with its own port, in a temporary folder.

Run it by hand with `python tests/cluster/slurm_cluster.py FOLDER`, until Ctrl-C. It prints the variables that
make `sbatch` and `resexp` use it. Nothing of an installed Slurm is used but its programs.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("setpriv", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "munged")
NODES = ("one", "two")
MEMORY = 3000
"""Of a node, in megabytes."""

PATIENCE = 60.0

CONFIG = """\
ClusterName=resexp
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPort={ctld}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
StateSaveLocation={folder}/state
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdSpoolDir={folder}/spool-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU={memory_per_cpu}
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=100000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdTimeout=10
KillWait=5
MinJobAge=300
MaxArraySize={largest_array}
ReturnToService=2
JobRequeue=1
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=9
"""


def missing() -> str | None:
    """Why there can be no such cluster here, or None."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    absent = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    return f"Slurm is not installed: {', '.join(absent)}" if absent else None


class SlurmCluster:
    """The cluster, until `stop`. `environment` makes Slurm's programs use it."""

    def __init__(self, folder: Path, largest_array: int = 1001) -> None:
        self.folder = folder
        self.environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")),
        }
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (folder / name).mkdir(parents=True, exist_ok=True)
        ctld, *ports = _free_ports(1 + len(NODES))
        host = socket.gethostname()
        nodes = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory={MEMORY}"
            for node, port in zip(NODES, ports, strict=True)
        ]
        settings = {
            "host": host,
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "folder": folder,
            "ctld": ctld,
            "largest_array": largest_array,
            "memory_per_cpu": MEMORY // 2,
            "nodes": "\n".join(nodes),
        }
        (folder / "slurm.conf").write_text(CONFIG.format(**settings))
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)

    def start(self) -> None:
        """Start everything, and wait until both nodes are idle."""
        files = {"key": "munge.key", "socket": "munge.socket", "pid": "munge.pid", "log": "munged.log"}
        options = [
            f"--{name}{'' if name == 'socket' else '-file'}={self.folder / file}"
            for name, file in files.items()
        ]
        seed = self.folder / "munge.seed"
        self._run("munged", "munged", "--foreground", "--force", *options, f"--seed-file={seed}")
        _wait_until((self.folder / "munge.socket").exists, "munged did not start", self.folder)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.wait_for_nodes()

    def start_controller(self) -> None:
        self._run("slurmctld", "slurmctld", "-D", "-i")

    def start_node(self, node: str) -> None:
        self._run(node, "slurmd", "-D", "-N", node)

    def wait_for_nodes(self, state: str = "idle", count: int = len(NODES)) -> None:
        """Wait until so many nodes have the state."""

        def ready() -> bool:
            return self("sinfo", "--noheader", "-N", "-p", "main", "-o", "%T").split().count(state) == count

        _wait_until(ready, f"not {count} nodes are {state}", self.folder)

    def __call__(self, *command: str) -> str:
        """The standard output of one of Slurm's programs; "" if it fails."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode == 0 else ""

    def cancel_all(self) -> None:
        """End every job, at once."""
        if not self("squeue", "--noheader"):
            return
        user = pwd.getpwuid(os.getuid()).pw_name
        self("scancel", "--user", user)
        self("scancel", "--signal=KILL", "--full", "--user", user)
        _wait_until(lambda: not self("squeue", "--noheader"), "jobs do not end", self.folder)

    def kill(self, name: str) -> None:
        """Kill the controller or a node's daemon, as a power failure would; its jobs too if it is a node."""
        self._kill_daemon(name)
        if name in NODES:
            _kill_steps(self.folder / f"spool-{name}")

    def cut_off(self, node: str) -> None:
        """Let the controller lose a node whose trials go on, as it does if a network fails."""
        self._kill_daemon(node)
        _kill_steps(self.folder / f"spool-{node}", only=b"slurmstepd")

    def _kill_daemon(self, name: str) -> None:
        process = self._started.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End everything that was started, and every job."""
        with suppress(RuntimeError):
            self.cancel_all()
        for name in (*NODES, "slurmctld", "munged"):
            if process := self._started.pop(name, None):
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for node in NODES:
            _kill_steps(self.folder / f"spool-{node}")

    def _run(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as output:
            self._started[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],  # nothing is left if this process is killed
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def _kill_steps(spool: Path, only: bytes = b"") -> None:
    """Kill the jobs of the node with this folder and what runs them, if `only` is in the command."""
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (directory / "cmdline").read_bytes()
            if only in command and (
                str(spool).encode() in (directory / "environ").read_bytes()
                or (b"slurmstepd" in command and (directory / "cwd").resolve() == spool)
            ):
                os.kill(int(directory.name), signal.SIGKILL)


def _wait_until(asked: Callable[[], bool], otherwise: str, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not asked():
        if time.monotonic() > deadline:
            logs = [f"{log.name}: {log.read_text()[-800:]}" for log in folder.glob("*.log")]
            raise RuntimeError("\n".join([otherwise, *logs]))
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    cluster = SlurmCluster(Path(sys.argv[1]).absolute())
    try:
        cluster.start()
        for key, value in cluster.environment.items():
            print(f"export {key}={value}", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        cluster.stop()
