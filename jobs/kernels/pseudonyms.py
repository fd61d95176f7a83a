"""Customer numbers -> pseudonyms, and personal values -> ciphertext for the vault.

The cipher is AES-SIV (RFC 5297): deterministic, so that a rerun writes the same bytes, and authenticated. Equal values
give equal ciphertext; that two customers share a name is not a secret the vault keeps from itself.
"""

import base64
import hashlib
import hmac

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESSIV


def customer_keys(values: pa.Array, secret: bytes) -> pa.Array:
    """HMAC-SHA256 of each value in hexadecimal, null where null; computed once for each distinct value."""
    return _by_distinct(values, lambda text: hmac.new(secret, text.encode(), hashlib.sha256).hexdigest())


def encrypt_values(values: pa.Array, key: bytes) -> pa.Array:
    """Each value encrypted and in base64, null where null."""
    cipher = AESSIV(key)
    return _by_distinct(values, lambda text: base64.b64encode(cipher.encrypt(text.encode(), None)).decode("ascii"))


def decrypt_values(values: pa.Array, key: bytes) -> pa.Array:
    """What `encrypt_values` encrypted. cryptography's InvalidTag where the key or the value is another."""
    cipher = AESSIV(key)
    return _by_distinct(values, lambda text: cipher.decrypt(base64.b64decode(text), None).decode())


def _by_distinct(values: pa.Array, function) -> pa.Array:  # type: ignore[no-untyped-def]
    coded = values.dictionary_encode()
    made = pa.array([None if v is None else function(v) for v in coded.dictionary.to_pylist()], pa.string())
    return made.take(coded.indices)
