"""Keys of pseudonyms and of the vault: from the environment or a 0600 file, never from settings."""

import os
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from jobs.runtime.errors import UserError
from jobs.runtime.settings import SecretsSettings

PSEUDONYM_VARIABLE = "WATTLAKE_PSEUDONYM_KEY"
VAULT_VARIABLE = "WATTLAKE_VAULT_KEY"
_BYTES = {"pseudonym": 32, "vault": 64}


@dataclass(frozen=True, repr=False)
class Keys:
    """Secret of the pseudonyms (HMAC-SHA256, 32 bytes) and key of the vault (AES-256-SIV, 64 bytes)."""

    pseudonym: bytes
    vault: bytes


def load_keys(settings: SecretsSettings, lake_root: Path | None = None) -> Keys:
    """Keys from the environment (hexadecimal), else from the folder; made there once when settings allow it.

    Never made for a lake that holds tables: with other keys everybody in it would become somebody else.
    """
    return Keys(
        _key("pseudonym", PSEUDONYM_VARIABLE, settings, lake_root),
        _key("vault", VAULT_VARIABLE, settings, lake_root),
    )


def _key(name: str, variable: str, settings: SecretsSettings, lake_root: Path | None) -> bytes:
    text = os.environ.get(variable) or _from_file(name, variable, settings, lake_root)
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _BYTES[name]:
        raise UserError(f"The {name} key must be {_BYTES[name]} bytes in hexadecimal ({variable} or {name}.key).")
    return key


def _from_file(name: str, variable: str, settings: SecretsSettings, lake_root: Path | None) -> str:
    path = settings.folder / f"{name}.key"
    if not path.exists():
        if not settings.generate:
            raise UserError(_what_to_do(name, variable, path, lake_root))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # jobs of a first load begin together: the later one finds the key made, and perhaps tables already
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                if _is_loaded(lake_root):
                    raise UserError(_what_to_do(name, variable, path, lake_root))
                _generate(path, _BYTES[name])
    if path.stat().st_mode & 0o077:
        raise UserError(f"{path} can be read by others: run chmod 600 {path}.")
    return path.read_text(encoding="ascii")


def _is_loaded(lake_root: Path | None) -> bool:
    """Whether rows were stored under keys: any table of core, or the vault's."""
    if lake_root is None:
        return False
    return any(any(lake_root.glob(f"{layer}/*/_delta_log")) for layer in ("core", "vault"))


def _what_to_do(name: str, variable: str, path: Path, lake_root: Path | None) -> str:
    if _is_loaded(lake_root):
        return (
            f"There is no {name} key in {path}, and the lake {lake_root} was loaded with one: put that key back (mount "
            f"its folder, copy the file, or set {variable}). With a new one every customer would become another."
        )
    make = f"python3 -c 'import secrets; print(secrets.token_hex({_BYTES[name]}))' > {shlex.quote(str(path))}"
    return (
        f"There is no {name} key: set {variable}, or make one, once, and keep a copy in a safe: "
        f"(umask 077; mkdir -p {shlex.quote(str(path.parent))}; {make}). "
        "For a demonstration WATTLAKE_SECRETS__GENERATE=true makes it."
    )


def _generate(path: Path, size: int) -> None:
    unfinished = path.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(size))
    unfinished.replace(path)
