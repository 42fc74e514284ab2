"""Semantic versions and ranges of them, by the `semver` library."""

from __future__ import annotations

from semver import Version

ANY = "*"
_COMPARISONS = (">=", "<=", "==", "!=", ">", "<")


def parsed(version: str) -> Version | None:
    """The version, or None for text that is none by semver.org 2.0.0."""
    try:
        return Version.parse(version)
    except (ValueError, TypeError):
        return None


def sort_key(version: str) -> tuple[Version, str]:
    """By precedence; versions that differ only in their build are in the order of their text."""
    return Version.parse(version), version


def next_version(known: list[str]) -> str:
    """The next minor version after the highest that is known, pre-releases included; `0.1.0` where none is."""
    if not known:
        return "0.1.0"
    return str(max(Version.parse(each) for each in known).finalize_version().bump_minor())


def range_problem(text: str) -> str | None:
    """What is wrong with a range, or None."""
    for part in _parts(text):
        if part != ANY and parsed(_operand(part)) is None:
            return f"'{part}' is neither '*', nor a version, nor a comparison with one such as '>=1.2.0'"
    return None


def satisfies(version: str, text: str) -> bool:
    """Whether a version is in a range: `*`, one version, or comparisons joined by commas that all must hold.

    A version that is not semantic is in `*`, and in a range that names it exactly. By semver's order of precedence a
    pre-release of 2.0.0 is below 2.0.0, and a build is of no account.
    """
    return all(_holds(version, part) for part in _parts(text))


def _holds(version: str, part: str) -> bool:
    if part in (ANY, version):
        return True
    found = parsed(version)
    if found is None:
        return False
    exact = not part.startswith(_COMPARISONS)
    return found.match(f"=={part}" if exact else part)


def _parts(text: str) -> list[str]:
    return ["".join(part.split()) for part in text.split(",")]


def _operand(part: str) -> str:
    return next((part.removeprefix(each) for each in _COMPARISONS if part.startswith(each)), part)
