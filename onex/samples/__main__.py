"""Write the samples: `python -m onex.samples [FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path

from onex.samples.writing import write_samples

if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "deploy" / "samples"
    files = write_samples(root / "deploy" / "catalogue", target)
    sys.stdout.write(f"{len(files)} files in {target}\n")
