"""Signatures of webhooks by the `standardwebhooks` library, under secrets that are derived and never stored."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime

from llama_mapper.adapters.platform.key_files import hkdf_sha256

WEBHOOK_KEY_FILE = "webhooks.key"


class StandardWebhookSigner:
    """Keeps the promise of the `WebhookSigner` port.

    A receiver's secret is HKDF-SHA-256 (RFC 5869, no salt) of the installation's master secret with the info
    `llama-mapper webhook v1|` + tenant + `|` + URL: whoever knows one receiver's can forge nothing for another's.
    """

    def __init__(self, master: bytes) -> None:
        self._master = master

    def secret(self, tenant_id: str, url: str) -> str:
        """See `WebhookSigner.secret`."""
        derived = hkdf_sha256(self._master, f"llama-mapper webhook v1|{tenant_id}|{url}".encode())
        return "whsec_" + b64encode(derived).decode("ascii")

    def headers(self, tenant_id: str, url: str, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """See `WebhookSigner.headers`."""
        from standardwebhooks import Webhook

        # The library reads the moment as UTC whatever its zone, and rounds it down to the second.
        signature = Webhook(self.secret(tenant_id, url)).sign(event_id, at, body.decode())
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }
