"""The content's language, or silence."""

from __future__ import annotations

import pytest

from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello, how are you today? The weather is lovely.", "en"),
        ("Das Wetter ist heute schön, wir gehen spazieren.", "de"),
        ("¿Dónde está la biblioteca? Quiero leer un libro.", "es"),
        ("Le chat dort sur le canapé toute la journée.", "fr"),
        ("これは日本語の文章です。", "ja"),
    ],
)
def test_a_sentence_tells_its_language(scanners: dict[str, TextScanner], text: str, language: str) -> None:
    assert scanners["language"].scan(text).language == language


@pytest.mark.parametrize(
    "text", ["", "ok", "hola", "12345 67890 12345", "https://example.com/a/b/c", "asdf qwer zxcv", "😀😀😀"]
)
def test_too_little_text_tells_nothing(scanners: dict[str, TextScanner], text: str) -> None:
    assert scanners["language"].scan(text).language is None
