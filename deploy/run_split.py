"""Runs the three contexts as three processes on this machine, until one ends or Ctrl-C is pressed."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    """Start the services behind first, then the front door; stop all when one stops."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="of the front door; the others take the next two")
    parser.add_argument("--data-dir", type=Path, default=Path("data/split"))
    options = parser.parse_args()
    command = Path(sys.executable).with_name("llama-mapper")
    ports = {"analysis": options.port + 1, "mapping": options.port + 2, "orchestration": options.port}
    environment = os.environ | {
        "LLAMA_MAPPER_ANALYSIS_URL": f"http://127.0.0.1:{ports['analysis']}",
        "LLAMA_MAPPER_MAPPING_URL": f"http://127.0.0.1:{ports['mapping']}",
    }
    processes = [
        subprocess.Popen(
            [command, "serve", "--context", context, "--port", str(port), "--data-dir", options.data_dir / context],
            env=environment,
        )
        for context, port in ports.items()
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while all(process.poll() is None for process in processes):
            time.sleep(0.2)
        return max(process.poll() or 0 for process in processes)
    except KeyboardInterrupt:
        return 0
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=20)


if __name__ == "__main__":
    sys.exit(main())
