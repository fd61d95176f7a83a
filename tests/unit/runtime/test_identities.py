"""Keys are made once, for a lake that holds nothing yet, and only where settings allow it."""

import subprocess
from pathlib import Path

import pytest

from jobs.runtime.errors import UserError
from jobs.runtime.identities import load_keys
from jobs.runtime.settings import SecretsSettings, load_settings


@pytest.fixture(autouse=True)
def _no_keys_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PSEUDONYM", "VAULT"):
        monkeypatch.delenv(f"WATTLAKE_{name}_KEY", raising=False)


def _secrets(tmp_path: Path, *, generate: bool) -> SecretsSettings:
    return SecretsSettings(folder=tmp_path / "my secrets", generate=generate)


def test_keys_of_an_empty_lake_are_made_and_stay(tmp_path: Path) -> None:
    settings = _secrets(tmp_path, generate=True)
    keys = load_keys(settings, tmp_path / "lake")
    assert (len(keys.pseudonym), len(keys.vault)) == (32, 64)
    (tmp_path / "lake" / "core" / "customers" / "_delta_log").mkdir(parents=True)
    again = load_keys(settings, tmp_path / "lake")
    assert (again.pseudonym, again.vault) == (keys.pseudonym, keys.vault)


@pytest.mark.parametrize("table", ["core/bills", "vault/customer_identities"])
@pytest.mark.parametrize("lost", ["pseudonym", "vault"])
@pytest.mark.parametrize("generate", [True, False])
def test_a_key_which_a_loaded_lake_has_lost_is_not_made_anew(
    tmp_path: Path, table: str, lost: str, generate: bool
) -> None:
    load_keys(_secrets(tmp_path, generate=True), tmp_path / "lake")
    (tmp_path / "lake" / table / "_delta_log").mkdir(parents=True)
    file = tmp_path / "my secrets" / f"{lost}.key"
    file.unlink()
    with pytest.raises(UserError, match=f"no {lost} key in .*put that key back"):
        load_keys(_secrets(tmp_path, generate=generate), tmp_path / "lake")
    assert not file.exists()


def test_keys_are_not_made_in_production_and_it_is_said_how_to_make_them(tmp_path: Path) -> None:
    assert not load_settings().secrets.generate
    assert all(load_settings(env).secrets.generate for env in ("demo", "lcl", "bench"))
    settings = _secrets(tmp_path, generate=False)
    for name in ("pseudonym", "vault"):
        with pytest.raises(UserError, match=f"no {name} key") as raised:
            load_keys(settings, tmp_path / "lake")
        said = str(raised.value)
        assert "\n" not in said
        command = said[said.index("(umask") : said.index(". For a demonstration")]
        assert not (tmp_path / "my secrets" / f"{name}.key").exists()
        subprocess.run(["sh", "-c", command], check=True)
    keys = load_keys(settings, tmp_path / "lake")
    assert (len(keys.pseudonym), len(keys.vault)) == (32, 64)
