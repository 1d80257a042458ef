"""`python -m resexp` is `resexp`."""

from resexp.cli.app import main

main()
