"""What a service can be told, and what happens when it is told something unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.runtime.settings import ServiceSettings, refuse_unknown, variables

URL = "postgresql://intake_app:secret@db/intake"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in variables():
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("KEYS_DATABASE_URL", URL + "_keys")
    return monkeypatch


def test_two_urls_are_enough_and_the_feed_is_the_default_transport() -> None:
    settings = ServiceSettings()
    assert settings.database_url.get_secret_value() == URL
    assert settings.kafka_bootstrap_servers is None
    assert (settings.port, settings.management_port) == (8080, 9090)


def test_nested_names_have_two_underscores(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PLUMBLINE_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")
    environment.setenv("PLUMBLINE_SOURCES__INTAKE", "http://intake:8080/intake")
    settings = ServiceSettings()
    assert settings.kafka.security_protocol == "SASL_SSL"
    assert settings.sources == {"intake": "http://intake:8080/intake"}


def test_a_secret_may_stand_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounted = tmp_path / "token"
    mounted.write_text("from-a-file\n")
    environment.setenv("PLUMBLINE_SERVICE_TOKEN_FILE", str(mounted))
    environment.setenv("PLUMBLINE_KAFKA__SASL_PASSWORD_FILE", str(mounted))
    environment.delenv("KEYS_DATABASE_URL")
    environment.setenv("KEYS_DATABASE_URL_FILE", str(mounted))
    settings = ServiceSettings()
    assert settings.service_token is not None
    assert settings.kafka.sasl_password is not None
    secrets = (settings.service_token, settings.kafka.sasl_password, settings.keys_database_url)
    assert {secret.get_secret_value() for secret in secrets} == {"from-a-file"}


def test_a_secret_that_is_renewed_in_its_file_is_read_anew(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounted = tmp_path / "token"
    mounted.write_text("of-today\n")
    environment.setenv("PLUMBLINE_SERVICE_TOKEN_FILE", str(mounted))
    environment.setenv("PLUMBLINE_KAFKA__SASL_PASSWORD_FILE", str(mounted))
    settings = ServiceSettings()
    token, password = settings.service_token, settings.kafka.sasl_password
    assert token is not None
    assert password is not None
    mounted.write_text("of-tomorrow\n")
    assert {token.get_secret_value(), password.get_secret_value()} == {"of-tomorrow"}
    for half_written in (b"", b"\xff\xfe"):
        mounted.write_bytes(half_written)
        assert token.get_secret_value() == "of-tomorrow"
    mounted.unlink()
    assert token.get_secret_value() == "of-tomorrow", "what it last held counts while the file is away"
    assert "of-tomorrow" not in repr(settings) + str(token)


def test_an_unknown_name_fails_at_start_and_the_nearest_known_one_is_named(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PLUMBLINE_MANAGMENT_PORT", "9091")
    with pytest.raises(ValidationError, match=r"PLUMBLINE_MANAGMENT_PORT.*PLUMBLINE_MANAGEMENT_PORT"):
        ServiceSettings()


@pytest.mark.parametrize(
    "name", ["PLUMBLINE_KAFKA__PARTITION", "PLUMBLINE_INTAKE_SERVICE_HOST", "PLUMBLINE_PORT_FILE"]
)
def test_misspelt_nested_names_and_service_links_are_unknown_too(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        refuse_unknown({name: "x"})


def test_names_of_tests_and_of_the_launcher_are_not_ours() -> None:
    refuse_unknown({"PLUMBLINE_TEST_FAILPOINT": "x", "PLUMBLINE_LOCAL_POSTGRES_BIN": "/x", "PATH": "/bin"})


def test_no_secret_shows_when_settings_are_printed_or_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PLUMBLINE_SERVICE_TOKEN", "hush")
    assert "hush" not in repr(ServiceSettings())
    assert "secret" not in repr(ServiceSettings()).replace("Secret", "")
    environment.setenv("PLUMBLINE_POOL_MAX_SIZE", "hush")
    with pytest.raises(ValidationError) as refused:
        ServiceSettings()
    assert "hush" not in str(refused.value)


def test_a_pool_cannot_be_smaller_than_its_smallest_size(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PLUMBLINE_POOL_MIN_SIZE", "20")
    with pytest.raises(ValidationError, match="POOL_MAX_SIZE"):
        ServiceSettings()


def test_a_pool_has_a_connection_for_each_who_holds_one_while_waiting_for_another(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PLUMBLINE_POOL_MAX_SIZE", "2")
    with pytest.raises(ValidationError, match="pool_max_size"):
        ServiceSettings()
    environment.setenv("PLUMBLINE_POOL_MAX_SIZE", "3")
    assert ServiceSettings().pool_max_size == 3
