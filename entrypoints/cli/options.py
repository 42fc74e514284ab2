"""Options that several commands take. None means: from the environment or its default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path | None, typer.Option(help="Where databases and keys are kept.")]
