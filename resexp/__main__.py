"""`python -m resexp` does the same as `resexp`."""

from resexp.cli.app import main

main()
