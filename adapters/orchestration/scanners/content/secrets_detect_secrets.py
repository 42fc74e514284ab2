"""Credentials and tokens by detect-secrets' plugins, called directly.

The library's own scan goes through its filters, which log what they skip, and through verification, which calls the
vendor of a token. The plugins' patterns do neither. The entropy plugins are left out: on prose they flag
nearly every line. `Public IP (ipv4)` is left out too: an address is not a secret, and the PII detectors tell it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection, RawFinding

from .rules import MATCHES_PER_RULE
from .windows import windows

# Plugin module, class, and a score: 0.95 where the form alone identifies a secret, less where it is only likely.
_PLUGINS = (
    ("artifactory", "ArtifactoryDetector", 0.6),
    ("aws", "AWSKeyDetector", 0.95),
    ("azure_storage_key", "AzureStorageKeyDetector", 0.95),
    ("basic_auth", "BasicAuthDetector", 0.8),
    ("cloudant", "CloudantDetector", 0.85),
    ("discord", "DiscordBotTokenDetector", 0.9),
    ("github_token", "GitHubTokenDetector", 0.95),
    ("gitlab_token", "GitLabTokenDetector", 0.95),
    ("ibm_cloud_iam", "IbmCloudIamDetector", 0.85),
    ("ibm_cos_hmac", "IbmCosHmacDetector", 0.85),
    ("jwt", "JwtTokenDetector", 0.9),
    ("mailchimp", "MailchimpDetector", 0.9),
    ("npm", "NpmDetector", 0.95),
    ("openai", "OpenAIDetector", 0.95),
    ("private_key", "PrivateKeyDetector", 0.9),
    ("pypi_token", "PypiTokenDetector", 0.95),
    ("sendgrid", "SendGridDetector", 0.95),
    ("slack", "SlackDetector", 0.9),
    ("softlayer", "SoftlayerDetector", 0.8),
    ("square_oauth", "SquareOAuthDetector", 0.9),
    ("stripe", "StripeDetector", 0.95),
    ("telegram_token", "TelegramBotTokenDetector", 0.9),
    ("twilio", "TwilioKeyDetector", 0.85),
)

_LABELS = (
    "AWS Access Key",
    "Artifactory Credentials",
    "Azure Storage Account access key",
    "Basic Auth Credentials",
    "Cloudant Credentials",
    "Discord Bot Token",
    "GitHub Token",
    "GitLab Token",
    "IBM COS HMAC Credentials",
    "IBM Cloud IAM Key",
    "JSON Web Token",
    "Mailchimp Access Key",
    "NPM tokens",
    "OpenAI Token",
    "Private Key",
    "PyPI Token",
    "Secret Keyword",
    "SendGrid API Key",
    "Slack Token",
    "SoftLayer Credentials",
    "Square OAuth Secret",
    "Stripe Access Key",
    "Telegram Bot Token",
    "Twilio API Key",
)

# The cut keeps the plugins' patterns linear; the overlap is longer than any token they know.
_WINDOW, _OVERLAP = 4096, 512

# A word that the keyword plugin looks for: most lines have none, and the plugin is the slowest.
_TELLING = re.compile(r"key|pass|pwd|secret|contrase", re.IGNORECASE)

_PLACEHOLDERS = frozenset(
    [
        "password",
        "passwd",
        "secret",
        "changeme",
        "change_me",
        "example",
        "xxxx",
        "none",
        "null",
        "true",
        "false",
        "user",
        "pass",
    ]
)


class DetectSecretsScanner:
    """Credentials and tokens of known vendors, and secrets assigned to telling names, in any language."""

    descriptor = DetectorDescriptor(
        name="detect_secrets",
        vendor="detect_secrets",
        vendor_version="1.5.0",
        categories=("security.credentials", "security.tokens"),
        labels=_LABELS,
        languages=(),
        cost_ms_per_kchar=0.7,
    )

    def __init__(self) -> None:
        self._plugins: list[tuple[Any, float]] = []
        self._keyword: Any = None

    def load(self) -> None:
        """Build the plugins; nothing of the library's settings, filters or verification is touched."""
        try:
            from importlib import import_module

            self._plugins = [
                (getattr(import_module(f"detect_secrets.plugins.{module}"), name)(), score)
                for module, name, score in _PLUGINS
            ]
            self._keyword = import_module("detect_secrets.plugins.keyword").KeywordDetector()
        except ImportError as error:
            raise ScannerNotInstalled("detect-secrets is missing: install llama-mapper[detectors]") from error

    def scan(self, text: str) -> Inspection:
        """Findings whose span is the secret itself (for a private key, its header line's words)."""
        if not self._plugins:
            raise DetectorFailed("detect-secrets was not loaded")
        found: dict[tuple[str, int, int], RawFinding] = {}
        for at, window in windows(text, _WINDOW, _OVERLAP):
            for finding in (*self._by_form(window, at), *self._by_name(window, at)):
                found.setdefault((finding.label, finding.start or 0, finding.end or 0), finding)
        return Inspection(tuple(sorted(found.values(), key=lambda f: (f.start or 0, f.label))))

    def _by_form(self, text: str, at: int) -> Iterator[RawFinding]:
        # The library's own loop over these patterns gives values without positions, and of a pattern with a group
        # only the group: of a GitHub token, its first three letters.
        for plugin, score in self._plugins:
            valid = getattr(plugin, "is_formally_valid", None)
            for pattern in plugin.denylist:
                for count, match in enumerate(pattern.finditer(text)):
                    if count == MATCHES_PER_RULE:
                        break
                    group = next((i for i in range(1, (pattern.groups or 0) + 1) if len(match[i] or "") >= 5), 0)
                    value = match[group].strip(" \t\r\n\"'=:")
                    if value and not _is_placeholder(value) and (valid is None or valid(value)):
                        start = at + match.start(group) + match[group].index(value)
                        yield RawFinding(plugin.secret_type, score, start, start + len(value))

    def _by_name(self, text: str, at: int) -> Iterator[RawFinding]:
        if self._keyword is None or not _TELLING.search(text):
            return
        for line in text.splitlines(keepends=True):
            if _TELLING.search(line):
                for value in set(self._keyword.analyze_string(line)):
                    start = line.find(value)
                    if value.strip() and start >= 0 and not _is_placeholder(value):
                        yield RawFinding(self._keyword.secret_type, 0.65, at + start, at + start + len(value))
            at += len(line)


def _is_placeholder(value: str) -> bool:
    return (
        len(set(value)) < 3
        or value.lower() in _PLACEHOLDERS
        or value[0] + value[-1] in ("<>", "{}", "[]", "%%")
        or value.startswith(("$", "{{", "<"))
        or "*" * 3 in value
        or value.upper().startswith(("YOUR_", "YOUR-", "MY_"))
    )


def detect_secrets_scanner() -> DetectSecretsScanner:
    """A scanner over detect-secrets, not loaded yet."""
    return DetectSecretsScanner()
