"""Settings: where they come from, which source wins, and what a bad one is told."""

import json
from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, load_settings


def test_defaults_are_safe_for_a_laptop() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.device) == ("127.0.0.1", 50051, "auto")
    assert (settings.models, settings.threads) == ((), None)
    assert (settings.log_level, settings.log_format) == ("info", "json")


def test_flags_win_over_the_environment_over_the_file_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "inkfill.toml"
    path.write_text("port = 1\nmax_batch = 1\nmax_queue = 1\n")
    monkeypatch.setenv("INKFILL_PORT", "2")
    monkeypatch.setenv("INKFILL_MAX_BATCH", "2")
    settings = load_settings(path, port=3)
    assert (settings.port, settings.max_batch, settings.max_queue) == (3, 2, 1)
    assert settings.max_many_in_flight == Settings.model_fields["max_many_in_flight"].default


def test_a_flag_that_is_none_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKFILL_PORT", "7")
    assert load_settings(port=None).port == 7


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_the_environment_names_a_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"inkfill.{suffix}"
    text = {"toml": 'models = ["a", "b"]', "json": json.dumps({"models": ["a", "b"]})}
    path.write_text(text[suffix])
    monkeypatch.setenv("INKFILL_CONFIG", str(path))
    assert load_settings().models == ("a", "b")


def test_models_in_the_environment_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INKFILL_MODELS", "/m/a, /m/b,")
    assert load_settings().models == ("/m/a", "/m/b")


def test_levels_may_be_spelt_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKFILL_LOG_LEVEL", "WARNING")
    assert load_settings().log_level == "warning"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"port": 70000}, r"--port: got 70000, accepted: 0 to 65535"),
        ({"device": "tpu"}, r"--device: got 'tpu', accepted: auto, cpu, cuda or cuda:N"),
        ({"max_batch": 0}, r"--max-batch: got 0, accepted: 1 to 4096"),
        ({"threads": 0}, r"--threads: got 0, accepted: 1 to 1024"),
        ({"log_format": "xml"}, r"--log-format: got 'xml', accepted: 'json' or 'console'"),
        ({"prot": 1}, r"--prot: no such setting; accepted: host, port"),
    ],
)
def test_a_bad_flag_is_named(flags: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(**flags)


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKFILL_PORT", "abc")
    monkeypatch.setenv("INKFILL_SHUTDOWN_GRACE_S", "-1")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "INKFILL_PORT: got 'abc', accepted: a valid integer" in str(caught.value)
    assert "Kubernetes" not in str(caught.value)
    assert "INKFILL_SHUTDOWN_GRACE_S: got '-1'" in str(caught.value)


def test_a_port_that_kubernetes_set_for_its_service_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    links = {
        "PORT": "tcp://10.96.0.7:50051",
        "PORT_50051_TCP": "tcp://10.96.0.7:50051",
        "PORT_50051_TCP_ADDR": "10.96.0.7",
        "SERVICE_HOST": "10.96.0.7",
        "SERVICE_PORT": "50051",
        "SERVICE_PORT_GRPC": "50051",
    }
    for name, value in links.items():
        monkeypatch.setenv(f"INKFILL_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith("INKFILL_PORT: got 'tcp://10.96.0.7:50051', accepted: ")
    assert "Service named inkfill" in str(caught.value)
    assert "enableServiceLinks: false" in str(caught.value)
    assert load_settings(port=7).port == 7
    with pytest.raises(SettingsError) as caught:
        load_settings(port="tcp://10.96.0.7:50051")
    assert "Kubernetes" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("INKFILL_PROT", "INKFILL_PROT: no such setting; did you mean INKFILL_PORT?"),
        ("INKFILL_MODEL", "INKFILL_MODEL: no such setting; did you mean INKFILL_MODELS?"),
        ("inkfill_prot", "inkfill_prot: no such setting; did you mean INKFILL_PORT?"),
        ("INKFILL_XYZZY", "accepted: INKFILL_HOST, INKFILL_PORT,"),
        ("INKFILL_GRPC_PORT", "INKFILL_GRPC_PORT: no such setting"),
    ],
)
def test_a_mistyped_variable_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert said in str(caught.value)


def test_what_kubernetes_sets_for_other_services_is_none_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    links = {
        "INKFILL_WEB_PORT": "tcp://10.96.0.7:80",
        "INKFILL_WEB_PORT_80_TCP_PROTO": "tcp",
        "INKFILL_WEB_SERVICE_HOST": "10.96.0.7",
        "INKFILL_SERVICE_PORT_GRPC": "50051",
        "INKFILL_PORT_50051_TCP": "tcp://10.96.0.7:50051",
    }
    for name, value in links.items():
        monkeypatch.setenv(name, value)
    assert load_settings().port == 50051


def test_a_bad_key_of_a_file_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "inkfill.toml"
    path.write_text('threads = "many"\nprot = 1\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert f"threads in {path}: got 'many'" in str(caught.value)
    assert f"prot in {path}: no such setting" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "port = = 1", "cannot be read"),
        ("a.json", "{", "cannot be read"),
        ("a.json", "[1]", "cannot be read"),
        ("a.json", "[" * 100_000, "cannot be read"),
        ("a.yaml", "port: 1", r"--config: got .*a\.yaml, accepted: a \.toml or \.json file"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings(path)


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKFILL_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(SettingsError, match=r"INKFILL_CONFIG: .*gone\.toml is not a file"):
        load_settings()
