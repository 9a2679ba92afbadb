#!/usr/bin/env python3
"""Checkpoint -> one ONNX file, behind the parity gate. The same as ``trajnet export``.

python export/to_onnx.py out/nuscenes/last.ckpt --out nuscenes.onnx
"""

import sys

from trajnet.cli.main import main

if __name__ == "__main__":
    sys.argv[1:1] = ["export"]
    main()
