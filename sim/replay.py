"""Replay a scene in real time and time every frame: ``python sim/replay.py SCENE --model M``, as ``trajnet replay``."""

import sys

from trajnet.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "replay")
    main()
