"""Whether a document keeps a published schema, by the library jsonschema-rs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_mapper.domain.kernel.errors import ConfigurationError


class JsonSchemaValidity:
    """Checks documents against schemas, each compiled at its first use (some 5 ms).

    A schema is known by its `$id`; there are no more of them than are published.
    """

    def __init__(self) -> None:
        self._validators: dict[str, Any] = {}

    def __call__(self, schema: Mapping[str, Any], document: Any) -> bool:
        """Whether the document keeps the schema; raise `CONFIGURATION_INVALID` without the extra `schemas`."""
        name = schema["$id"]
        known = self._validators.get(name)
        if known is None:
            try:
                from jsonschema_rs import Draft202012Validator
            except ImportError as error:
                raise ConfigurationError("gates on schemas need the extra 'schemas'") from error
            known = self._validators[name] = Draft202012Validator(dict(schema))
        return bool(known.is_valid(document))
