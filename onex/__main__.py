"""`python -m onex`."""

from onex.cli import main

main()
