"""Word lists of the rule detectors: one entry a line, `entry<TAB>score` where scores differ, `#` starts a comment."""

from __future__ import annotations

from importlib.resources import files


def read_lexicon(name: str) -> dict[str, float]:
    """Entries of `<name>.txt` with their scores (1.0 where the line has none), in file order."""
    entries: dict[str, float] = {}
    for line in files(__name__).joinpath(f"{name}.txt").read_text("utf-8").splitlines():
        entry, _, score = line.partition("#")[0].partition("\t")
        if entry.strip():
            entries[entry.strip()] = float(score) if score.strip() else 1.0
    return entries
