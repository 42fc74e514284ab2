"""Presidio, imported late, kept silent and kept off the network."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

_LOGGERS = ("presidio-analyzer", "decision_process", "tldextract")


def _refuse(record: logging.LogRecord) -> bool:
    return False


def silence() -> None:
    """Drop every record of Presidio's loggers: at debug level they quote the text around a hit.

    A filter, unlike a level, survives a later `dictConfig` or `setLevel`.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _refuse not in logger.filters:
            logger.addFilter(_refuse)


def pattern_recognizers() -> list[PatternRecognizer]:
    """Presidio's recognisers of patterns and check digits, chosen one by one; none of them needs a model.

    Its e-mail recogniser asks tldextract's shared extractor, which fetches the public suffix list over the network and
    caches it in a file; ours asks an extractor with the packaged list only. Raises `ScannerNotInstalled`.
    """
    silence()
    try:
        import tldextract
        from presidio_analyzer import Pattern
        from presidio_analyzer import predefined_recognizers as predefined
    except ImportError as error:
        raise ScannerNotInstalled("presidio-analyzer is missing; install llama-mapper[detectors]") from error

    suffixes = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), fallback_to_snapshot=True)

    class PackagedSuffixEmail(predefined.EmailRecognizer):
        def validate_result(self, pattern_text: str) -> bool:
            return bool(suffixes.extract_str(pattern_text.rpartition("@")[2]).top_domain_under_public_suffix)

    class PackagedSuffixUrl(predefined.UrlRecognizer):
        def invalidate_result(self, pattern_text: str) -> bool:
            return not suffixes.extract_str(pattern_text).suffix

    class AnyCaseIban(predefined.IbanRecognizer):
        def validate_result(self, pattern_text: str) -> bool | None:
            valid: bool | None = super().validate_result(pattern_text.upper())
            return valid

    url = (
        # Presidio's own patterns try hundreds of suffixes at every character; here the suffix is looked up afterwards.
        Pattern("URL with scheme", r"(?<!\w)https?://[^\s<>\"'`{}|\\^()\[\]]{3,2000}(?<![.,;:!?])", 0.75),
        Pattern(
            "Host name",
            r"(?<![\w@.\-/])(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.){1,6}[a-z]{2,18}(?![\w@]|\.\w)"
            r"(?:/[^\s<>\"'`|]{0,500}(?<![.,;:!?)]))?",
            0.5,
        ),
    )
    cards = (
        Pattern("Four groups of four", r"(?<!\d)(?<!\d[-.])[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{4}(?![-.]?\d)", 0.3),
        Pattern("Groups of 4, 6 and 4 or 5", r"(?<!\d)(?<!\d[-.])3\d{3}([ -])\d{6}\1\d{4,5}(?![-.]?\d)", 0.3),
        Pattern("Without separators", r"(?<![\w.])(?<!\d-)[1-6]\d{12,18}(?![\w]|[.,-]\d)", 0.3),
    )
    pan = Pattern("PAN", r"(?-i:(?<!\w)[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z](?!\w))", 0.5)
    return [
        PackagedSuffixEmail(),
        PackagedSuffixUrl(patterns=list(url)),
        predefined.IpRecognizer(),
        predefined.MacAddressRecognizer(),
        predefined.CreditCardRecognizer(patterns=list(cards)),
        AnyCaseIban(regex_flags=re.IGNORECASE),
        predefined.CryptoRecognizer(),
        predefined.UsSsnRecognizer(),
        predefined.UsItinRecognizer(),
        predefined.UsBankRecognizer(),
        predefined.UkNinoRecognizer(),
        predefined.CaSinRecognizer(),
        predefined.InAadhaarRecognizer(),
        predefined.InPanRecognizer(patterns=[pan]),
        predefined.ItFiscalCodeRecognizer(),
        predefined.PlPeselRecognizer(),
    ]
