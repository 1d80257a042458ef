"""A connection in which planning finds nothing wrong, and which goes wrong in training, in many ways."""

from __future__ import annotations

RAISED = (
    *("SystemExit(0)", "SystemExit('bye')", "KeyboardInterrupt", "GeneratorExit", "StopIteration", "Warning"),
    *("MemoryError", "OSError(28, 'No space left on device')", "BaseExceptionGroup('g', [SystemExit()])"),
    *("UnicodeDecodeError('a', b'b', 0, 1, 'c')", r"ValueError('\ud800 \x00 [red]' + 'x' * 10 ** 7)"),
    "type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "type('Leaving', (Exception,), {'__str__': lambda self: sys.exit(0)})()",
    "type('Hidden', (Exception,), {'__class__': property(lambda self: 1 / 0)})()",
    r"type('E\x1b[31m', (BaseException,), {})('\x1b]0;title\x07\ud800')",
)
"""Their cause is what was raised, whatever that is."""

DONE = (
    *("os._exit(0)", "os._exit(7)", "os.abort()", "signal.alarm(1); time.sleep(60)", "ctypes.string_at(0)"),
    *(f"os.kill(os.getpid(), {number})" for number in (1, 2, 9, 11, 15)),
    *("self.forward(h, f)", "torch.empty(10 ** 15)", "sys.setrecursionlimit(70)", "h.zero_()"),
    *(
        "os.closerange(0, 99)",
        "os.closerange(3, 99)",
        "sys.stdout = sys.stderr = None",
        "print('x' * 10 ** 6)",
    ),
    *(
        "os.chdir('/')",
        "os.environ.clear()",
        "sys.modules.clear()",
        "builtins.open = None",
        "os.write = None",
    ),
    *("os.fork()", "subprocess.Popen(['sleep', '1000'])", "signal.signal(15, signal.SIG_IGN)"),
    *("threading.Thread(target=time.sleep, args=(1000,)).start()", "os.umask(0o777)"),
    *(
        "os.write(2, b'Traceback (most recent call last)')",
        r"warnings.warn('\ud800')",
        "sys.excepthook = None",
    ),
    *("torch.set_grad_enabled(False)", "torch.set_default_dtype(torch.float64)", "torch.manual_seed(1)"),
    *("return f(h) * float('nan')", "return f(h) * float('inf')", "return f(h).detach()", "return f(h)[:1]"),
    *("return f(h) + torch.randn(7)", "return f(h).to(torch.complex64)", "return f(h).to_sparse()"),
    *(
        "return f(h).to('meta')",
        "self.late = torch.nn.Linear(9, 9)",
        "del self.shortcut",
        "json.dumps = None",
    ),
    *("atexit.register(lambda: 1 / 0)", "sys.settrace(lambda *a: 1 / 0)", "gc.freeze()"),
    "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    "math.isfinite = lambda x: True; return f(h) * float('nan')",
    "time.monotonic = lambda: float('nan')",
    "time.monotonic = lambda: -1e300",
    "[each.close() for each in gc.get_objects() if type(each).__name__ in ('Connection', 'FileIO')]",
)
"""Some of it does no harm to a training."""

PLUGIN = """\
import atexit, builtins, ctypes, gc, json, math, os
import resource, signal, subprocess, sys, threading, time, warnings
import torch
from resexp.connections.base import Connection


class Hostile(Connection):
    \"\"\"h' = S h + f(h), and something that nobody meant.\"\"\"

    def __init__(self, site, *, way: int = 0):
        super().__init__(site)
        self.shortcut = site.shortcut("pad", site.width)
        self.way = way

    def forward(self, h, f):
        if h.device.type != "meta":
            found = getattr(self, f"way_{self.way}")(h, f)
            if found is not None and not isinstance(found, list):
                return found
        return self.shortcut(h) + f(h)
"""
CONFIG = """\
name: hostile
data: {{kind: synthetic, size: 8, groups: 4, train: 32, test: 16}}
model: {{kind: resnet, depth: 8, width: 4}}
training: {{epochs: 1, batch_size: 32}}
sweep:
  model.connection: [{hostile}, residual, plain]
"""


def plugin(ways: list[str]) -> str:
    """Its `way: n` does the n-th of these once its network has numbers."""
    methods = [f"    def way_{number}(self, h, f):\n        {way}\n" for number, way in enumerate(ways)]
    return "\n".join([PLUGIN, *methods])


def config(count: int) -> str:
    """A sweep over so many ways and two sound networks."""
    return CONFIG.format(hostile=", ".join(f"{{kind: hostile, way: {number}}}" for number in range(count)))
