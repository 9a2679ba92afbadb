"""Entry point of ``python -m trajnet``."""

from trajnet.cli.main import main

main()
