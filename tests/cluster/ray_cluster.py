"""A Ray cluster on this machine, in a process of its own: `ray_cluster.py FOLDER` starts it and prints its
address. Then it reads commands: `add NAME NUMBER CPUS GPUS` adds a node with the address 127.0.0.NUMBER, and
`kill NAME` kills one.

The head has no processors for tasks. Only it has this machine's own address, so that every process that uses
the cluster is attached to the head, and a node that is killed takes no such process with it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import resexp

TESTS = Path(__file__).parents[1]
SIZES = {"object_store_memory": 80 * 2**20, "include_log_monitor": False}
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_prestart_worker_first_driver": "0",
}


def missing() -> str:
    """Why there can be no cluster here, or ""."""
    return "" if importlib.util.find_spec("ray") else "the package ray is not installed"


class RayCluster:
    """The cluster. `process` is the one that has started the nodes, and `nodes` has the number of the main
    process of each.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, int] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="ray")  # short, because it has sockets
        path = [str(Path(resexp.__file__).parents[1]), str(TESTS), os.environ.get("PYTHONPATH", "")]
        self.path = os.pathsep.join(filter(None, path))
        log = Path(self._folder.name, "cluster.txt")
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, __file__],
                env={**os.environ, **QUIET, "PYTHONPATH": self.path, "RAY_TMPDIR": self._folder.name},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self.address = self._answer()
        if not self.address:
            raise RuntimeError(f"Ray did not start: {log.read_text()[-2000:]}")

    def add(self, name: str, number: int, cpus: int = 2, gpus: int = 0) -> None:
        self.nodes[name] = int(self._tell(f"add {name} {number} {cpus} {gpus}"))

    def kill(self, name: str) -> None:
        """Kill a node's main process. The other processes of the node notice that."""
        del self.nodes[name]
        self._tell(f"kill {name}")

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._folder.cleanup()

    def _tell(self, command: str) -> str:
        assert self.process.stdin is not None
        print(command, file=self.process.stdin, flush=True)
        answer = self._answer()
        assert answer, command
        return answer

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def main() -> None:
    from ray.cluster_utils import Cluster

    nodes: dict[str, Any] = {}
    head = {"num_cpus": 0, "include_dashboard": False, "no_monitor": True}
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # Ray prints, too
    cluster = Cluster(initialize_head=True, head_node_args={**head, **SIZES})
    print(cluster.address, file=answers)
    for line in sys.stdin:
        verb, name, *numbers = line.split()
        if verb == "add":
            number, cpus, gpus = map(int, numbers)
            place = f"127.0.0.{number}"
            nodes[name] = cluster.add_node(node_ip_address=place, num_cpus=cpus, num_gpus=gpus, **SIZES)
            print(nodes[name].all_processes["raylet"][0].process.pid, file=answers)
        else:
            cluster.remove_node(nodes.pop(name), allow_graceful=False)
            print("done", file=answers)
    cluster.shutdown()


if __name__ == "__main__":
    main()
