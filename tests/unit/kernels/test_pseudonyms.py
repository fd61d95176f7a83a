import hashlib
import hmac

import pyarrow as pa
import pytest

from jobs.kernels.pseudonyms import customer_keys, decrypt_values, encrypt_values

KEY = bytes(range(64))


def test_a_customer_key_is_the_hmac_of_its_number() -> None:
    keys = customer_keys(pa.array(["3200001", None, "3200001", "3200002"]), b"secret").to_pylist()
    assert keys[0] == hmac.new(b"secret", b"3200001", hashlib.sha256).hexdigest()
    assert keys[1] is None
    assert keys[0] == keys[2] != keys[3]


def test_another_secret_gives_other_keys() -> None:
    numbers = pa.array(["3200001"])
    assert customer_keys(numbers, b"a" * 32) != customer_keys(numbers, b"b" * 32)


def test_what_is_encrypted_can_be_decrypted_with_its_key_only() -> None:
    names = pa.array(["张伟", None, "John Smith"])
    tokens = encrypt_values(names, KEY)
    assert decrypt_values(tokens, KEY) == names
    with pytest.raises(ValueError, match="another key, or it was changed"):
        decrypt_values(tokens, KEY[::-1])


def test_a_rerun_writes_the_same_tokens() -> None:
    names = pa.array(["张伟", "李娜"])
    assert encrypt_values(names, KEY) == encrypt_values(names, KEY)


@pytest.mark.parametrize("token", ["AAAA", "not base64!", ""])
def test_a_changed_token_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="cannot be decrypted"):
        decrypt_values(pa.array([token]), KEY)
