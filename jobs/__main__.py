"""`python -m jobs` is the same as `wattlake`."""

from jobs.runtime.cli import main

main()
