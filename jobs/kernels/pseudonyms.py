"""Keyed pseudonyms of customer numbers, and encryption of what only the vault may hold."""

import base64
import hmac
from collections.abc import Callable

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV


def customer_keys(values: pa.Array, secret: bytes) -> pa.Array:
    """HMAC-SHA256(secret, value) in hexadecimal; null stays null. Computed once for each distinct value."""
    return _by_distinct(values, lambda value: hmac.digest(secret, value.encode(), "sha256").hex())


def encrypt_values(values: pa.Array, key: bytes) -> pa.Array:
    """Each value encrypted and authenticated, in URL-safe base64; null stays null. `key` has 64 bytes.

    AES-256-SIV rather than Fernet, whose tokens differ at each call: a rerun must write the same bytes. The price is
    that equal values have equal tokens, which the vault's readers could see anyway.
    """
    cipher = AESSIV(key)
    return _by_distinct(values, lambda value: base64.urlsafe_b64encode(cipher.encrypt(value.encode(), None)).decode())


def decrypt_values(tokens: pa.Array, key: bytes) -> pa.Array:
    """The values of `encrypt_values`. ValueError where a token was made with another key or changed."""
    cipher = AESSIV(key)

    def decrypt(token: str) -> str:
        try:
            return cipher.decrypt(base64.urlsafe_b64decode(token), None).decode()
        except (InvalidTag, ValueError) as error:
            raise ValueError("a value of the vault cannot be decrypted: another key, or it was changed") from error

    return _by_distinct(tokens, decrypt)


def _by_distinct(values: pa.Array, change: Callable[[str], str]) -> pa.Array:
    encoded = values.dictionary_encode()
    changed = pa.array([change(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return changed.take(encoded.indices)
