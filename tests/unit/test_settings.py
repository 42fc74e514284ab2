"""Settings come from where they should, in the order they should, and say what is wrong without showing secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode
from llama_mapper.entrypoints.settings import ReleaseKind, Settings
from llama_mapper.entrypoints.settings_page import settings_page

SECRET = "s3cr3t-value-nobody-may-see"


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without files and an environment without settings."""
    for name in list(os.environ):
        if name.upper().startswith("LLAMA_MAPPER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message_of(**overrides: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(**overrides)
    assert caught.value.error_code is ErrorCode.CONFIGURATION_INVALID
    assert SECRET not in caught.value.message
    return caught.value.message


def test_nothing_has_to_be_set(empty_directory: Path) -> None:
    settings = Settings.load()
    assert (settings.host, settings.port, settings.database_url) == ("127.0.0.1", 8080, None)
    assert settings.data_dir == empty_directory / "data"
    assert settings.detectors is None


def test_arguments_beat_environment_beats_dotenv_beats_toml(
    empty_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_directory / "llama-mapper.toml").write_text(
        "port = 1\nhost = 'toml'\ncontent_limit = 11\nlink_timeout_s = 1"
    )
    (empty_directory / ".env").write_text(
        "LLAMA_MAPPER_PORT=2\nLLAMA_MAPPER_HOST=dotenv\nLLAMA_MAPPER_CONTENT_LIMIT=12"
    )
    monkeypatch.setenv("LLAMA_MAPPER_PORT", "3")
    monkeypatch.setenv("LLAMA_MAPPER_HOST", "environment")
    settings = Settings.load(port=4)
    assert (settings.port, settings.host, settings.content_limit) == (4, "environment", 12)
    assert settings.link_timeout_s == 1.0


def test_an_argument_of_none_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_PORT", "3")
    assert Settings.load(port=None).port == 3


def test_an_empty_variable_counts_as_not_set(empty_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_DATABASE_URL", "")
    (empty_directory / ".env").write_text("LLAMA_MAPPER_PORT=\n")
    assert Settings.load().port == 8080


def test_the_toml_file_may_be_elsewhere(empty_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_directory / "llama-mapper.toml").write_text("port = 1")
    (empty_directory / "other.toml").write_text("port = 2")
    monkeypatch.setenv("LLAMA_MAPPER_CONFIG", "other.toml")
    assert Settings.load().port == 2


def test_a_named_toml_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_CONFIG", "nowhere.toml")
    assert "nowhere.toml cannot be read" in message_of()


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"port = 1\nport = 2"])
def test_a_toml_file_that_cannot_be_parsed_is_named(empty_directory: Path, content: bytes) -> None:
    (empty_directory / "llama-mapper.toml").write_bytes(content)
    assert "llama-mapper.toml is not" in message_of()


def test_an_unknown_name_in_the_toml_file_is_an_error_that_suggests_the_right_one(empty_directory: Path) -> None:
    (empty_directory / "llama-mapper.toml").write_text(f"link_secrt = '{SECRET}'")
    assert message_of() == "unknown setting 'link_secrt' in llama-mapper.toml; did you mean 'link_secret'?"


def test_an_unknown_name_in_dotenv_is_an_error_but_other_programs_lines_are_not(empty_directory: Path) -> None:
    dotenv = empty_directory / ".env"
    dotenv.write_text("OPENAI_API_KEY=x\nPORT=7\nCONTENT_LIMIT=1")
    assert Settings.load().port == 8080
    dotenv.write_text(f"LLAMA_MAPPER_PROT={SECRET}")
    assert message_of() == "unknown setting 'LLAMA_MAPPER_PROT' in .env; did you mean 'LLAMA_MAPPER_PORT'?"


def test_an_unknown_argument_is_an_error() -> None:
    assert message_of(prot=1) == "unknown setting 'prot' in the arguments; did you mean 'port'?"


def test_every_wrong_setting_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_PORT", f"tcp://{SECRET}")
    monkeypatch.setenv("LLAMA_MAPPER_CONTENT_LIMIT", "1048577")
    message = message_of()
    assert "port (LLAMA_MAPPER_PORT): " in message
    assert "content_limit (LLAMA_MAPPER_CONTENT_LIMIT): Input should be less than or equal to 1048576" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65_536),
        ("port", SECRET),
        ("host", ""),
        ("host", f"http://{SECRET}"),
        ("log_level", SECRET),
        ("log_format", SECRET),
        ("database_url", f"mysql://user:{SECRET}@host/db"),
        ("content_limit", 0),
        ("detector_workers", 17),
        ("detector_workers", -1),
        ("detectors", f"no {SECRET}!"),
        ("detectors", 5),
        ("analysis_url", f"ftp://{SECRET}"),
        ("link_secret", SECRET[:15]),
        ("link_timeout_s", float("nan")),
        ("link_timeout_s", float("inf")),
        ("history_window_days", 0),
        ("request_timeout_ms", 99),
        ("docs_enabled", SECRET),
        ("data_dir", f"~{SECRET}/x"),
    ],
)
def test_a_value_out_of_bounds_is_refused_without_showing_it(name: str, value: object) -> None:
    message = message_of(**{name: value})
    assert f"{name} (LLAMA_MAPPER_{name.upper()})" in message
    assert SECRET[:15] not in message


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    url = f"postgresql://user:{SECRET}@host/db"
    settings = Settings.load(database_url=url, link_secret=SECRET)
    assert SECRET not in f"{settings!r}{settings}{settings.model_dump_json()}"
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == url


def test_links_are_set_together_or_not_at_all() -> None:
    assert "together" in message_of(analysis_url="http://127.0.0.1:8081")
    settings = Settings.load(analysis_url="http://127.0.0.1:8081", mapping_url="http://127.0.0.1:8082")
    assert str(settings.mapping_url) == "http://127.0.0.1:8082/"


def test_detectors_are_listed_with_commas_or_as_a_toml_array(
    empty_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_directory / "llama-mapper.toml").write_text('detectors = ["a", "b"]')
    assert Settings.load().detectors == ("a", "b")
    monkeypatch.setenv("LLAMA_MAPPER_DETECTORS", " toxicity, language ,toxicity,")
    assert Settings.load().detectors == ("toxicity", "language")
    assert Settings.load(detectors=("x",)).detectors == ("x",)
    assert Settings.load(detectors=[]).detectors == ()


def test_a_redis_url_is_one_and_is_never_shown() -> None:
    url = f"redis://user:{SECRET}@127.0.0.1:6379/0"
    loaded = Settings.load(redis_url=url)
    assert loaded.redis_url is not None
    assert loaded.redis_url.get_secret_value() == url
    assert SECRET not in repr(loaded)
    assert "redis_url" in message_of(redis_url=f"http://{SECRET}@127.0.0.1")


def test_proxies_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1,::1")
    assert Settings.load().trusted_proxies == ("10.0.0.0/8", "127.0.0.1", "::1")
    for wrong in ("*", "proxy.example", "10.0.0.0/33"):
        assert "trusted_proxies" in message_of(trusted_proxies=wrong)


def test_settings_do_not_change_after_loading() -> None:
    with pytest.raises(ValidationError):
        Settings.load().port = 1  # type: ignore[misc]  # that it is read-only is the point


def test_a_relative_data_folder_stays_where_it_was_when_the_process_started(
    empty_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(data_dir="kept")
    monkeypatch.chdir("/")
    assert settings.data_dir == empty_directory / "kept"


def test_a_body_has_room_for_content_at_its_limit() -> None:
    assert Settings.load(content_limit=1000).body_limit == 71_536


def test_the_page_about_the_settings_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text("utf-8") == settings_page(), "run python -m llama_mapper.entrypoints.settings_page"


def test_gates_can_be_set_for_every_kind_of_version() -> None:
    assert set(get_args(ReleaseKind)) == {kind.value for kind in VariantKind}
