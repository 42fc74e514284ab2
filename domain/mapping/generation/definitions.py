"""What canonical labels mean, in the words that models are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def definitions_of(taxonomy: Mapping[str, Any]) -> dict[str, str]:
    """Canonical label → its meaning, of a valid taxonomy document: every category, then its subcategories.

    A category has its name and definition, a subcategory its name.
    """
    definitions: dict[str, str] = {}
    for domain in taxonomy["domains"]:
        for category in domain["categories"]:
            definitions[category["id"]] = f"{category['name']}. {category['definition']}"
            definitions |= category["subcategories"]
    return definitions
