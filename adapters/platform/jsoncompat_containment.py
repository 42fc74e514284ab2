"""Whether one JSON Schema contains another, by the library jsoncompat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llama_mapper.domain.kernel.errors import ConfigurationError


def contains(narrow: Mapping[str, Any], wide: Mapping[str, Any]) -> bool:
    """Whether `wide` accepts all that `narrow` does; false where jsoncompat cannot show it. It overlooks patterns.

    Raise `CONFIGURATION_INVALID` where the extra `schemas` is not installed.
    """
    try:
        from jsoncompat import check_compat
    except ImportError as error:
        raise ConfigurationError("comparing schemas needs the extra 'schemas'") from error
    return bool(check_compat(json.dumps(narrow), json.dumps(wide), "deserializer"))
