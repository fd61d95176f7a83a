"""Keys of pseudonyms and of the vault: from the environment or a 0600 file, never from settings."""

import os
import secrets
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


def load_keys(settings: SecretsSettings) -> Keys:
    """Keys from the environment (hexadecimal), else from the folder; made there once when settings allow it."""
    return Keys(
        _key("pseudonym", PSEUDONYM_VARIABLE, settings),
        _key("vault", VAULT_VARIABLE, settings),
    )


def _key(name: str, variable: str, settings: SecretsSettings) -> bytes:
    text = os.environ.get(variable) or _from_file(settings.folder / f"{name}.key", name, variable, settings.generate)
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _BYTES[name]:
        raise UserError(f"The {name} key must be {_BYTES[name]} bytes in hexadecimal ({variable} or {name}.key).")
    return key


def _from_file(path: Path, name: str, variable: str, generate: bool) -> str:
    if not path.exists():
        if not generate:
            raise UserError(f"There is no {name} key: set {variable} or put it into {path} (mode 0600).")
        _generate(path, _BYTES[name])
    if path.stat().st_mode & 0o077:
        raise UserError(f"{path} can be read by others: run chmod 600 {path}.")
    return path.read_text(encoding="ascii")


def _generate(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            return
        unfinished = path.with_suffix(".new")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(size))
        unfinished.replace(path)
