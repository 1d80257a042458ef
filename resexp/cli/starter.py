"""`resexp init`: writes a configuration to start from."""

from __future__ import annotations

from pathlib import Path

from resexp.errors import ConfigError, StoreError

STARTER = """\
why: say here what question this experiment asks
expect: {{full: "18 trials, under a minute on 2 cores"}}
name: {name}                    # results go to results/{name}/

data: digits                    # resexp show data
model:
  kind: resnet                  # resexp show models
  depth: 20                     # layers with weights: 6n+2 for this kind
  width: 16
  order: post                   # post | pre | ...: activation after the addition, or before the branch
  norm: batch                   # batch | none | layer | group
  init: he                      # he | xavier | default | orthogonal | dirac | ...

training:
  epochs: 6                     # or iterations
  batch_size: 64
  optimizer: {{kind: sgd, lr: 0.1, momentum: 0.9, weight_decay: 1e-4}}
  schedule: one_cycle           # resexp show schedules
  precision: float32            # float32 | bfloat16 | auto

probes:                         # resexp show probes; `at` are fractions of training, 0 is initialisation
  - {{kind: gradient_norms, at: [0, 1]}}

sweep:                          # every combination of these is a trial
  model.connection:             # resexp show connections
    - plain
    - residual
  model.depth: [8, 20, 32]
  seed: [0, 1, 2]               # fewer than three decide nothing

# overrides:                    # exceptions for some trials, applied in order
#   - when: {{model.connection: plain, model.depth: 32}}
#     set: {{training.optimizer.lr: 0.05}}
"""


def write_starter(path: Path) -> None:
    """Write the starter to a new file. Its experiment gets the file's name.

    Raises:
        ConfigError: the file exists already.
        StoreError: the file cannot be written.
    """
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in path.stem).strip("-_")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.format(name=name or "experiment"))
    except FileExistsError:
        raise ConfigError.of("command line", str(path), "exists already", "name a new file") from None
    except OSError as problem:
        raise StoreError(f"{path}: {problem.strerror}") from problem
