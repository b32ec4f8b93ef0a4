"""Keys and signatures."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.crypto import signing
from tests.kit.command_log import key_of
from tools.documents import examples

# RFC 8032, section 7.1, test 2.
RFC_SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
RFC_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
RFC_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_signatures_are_those_of_rfc_8032() -> None:
    assert signing.verify(RFC_PUBLIC, RFC_SIGNATURE, b"\x72")
    assert not signing.verify(RFC_PUBLIC, RFC_SIGNATURE, b"\x73")


def test_a_written_key_is_its_owners_alone_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    key = signing.generate_key()
    signing.write_private_key(path, key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing.load_private_key(path).private_bytes_raw() == key.private_bytes_raw()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signing.write_private_key(path, signing.generate_key())
    with pytest.raises(FileExistsError):
        signing.write_private_key(path, signing.generate_key())


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signing.write_private_key(path, signing.generate_key())
    path.chmod(0o640)
    with pytest.raises(signing.UnusableKey, match="others"):
        signing.load_private_key(path)


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o610, 0o777])
def test_any_right_of_others_to_a_private_key_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    signing.write_private_key(path, signing.generate_key())
    path.chmod(mode)
    with pytest.raises(signing.UnusableKey, match=r"chmod 600 it; else make a new key"):
        signing.load_private_key(path)


def test_a_private_key_that_is_published_is_refused(tmp_path: Path) -> None:
    """That of the test vectors above all: whoever copies an example signs with it."""
    for at, key in enumerate((examples.test_key(), Ed25519PrivateKey.from_private_bytes(RFC_SECRET))):
        path = tmp_path / f"{at}.pem"
        signing.write_private_key(path, key)
        with pytest.raises(signing.UnusableKey, match="published"):
            signing.load_private_key(path)


def test_a_key_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signing.write_private_key(path, signing.generate_key())
    with path.open("ab") as file:
        file.write(b"\n" * signing.KEY_FILE_BYTES)
    with pytest.raises(signing.UnusableKey, match="more than"):
        signing.load_private_key(path)


def test_a_public_key_in_its_place_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "key.pub.pem"
    path.write_bytes(signing.public_pem(key_of("signer").public_key()))
    with pytest.raises(signing.UnusableKey, match="a public key"):
        signing.load_private_key(path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    other = ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(signing.UnusableKey, match="Ed25519"):
        signing.load_private_key(path)


def test_a_public_key_reads_back_from_its_pem() -> None:
    public = key_of("signer").public_key()
    assert signing.load_public_pem(signing.public_pem(public)) == public
    with pytest.raises(signing.UnusableKey):
        signing.load_public_pem(b"no key")


def test_a_signed_value_verifies_whatever_the_order_of_its_members() -> None:
    key = key_of("signer")
    signature = signing.sign_json(key, {"a": 1, "b": None})
    assert signature["key_id"] == signing.key_id(key.public_key())
    assert signing.verify_json(key.public_key(), json.loads('{"b": null, "a": 1}'), signature)


def test_a_changed_value_or_signature_verifies_no_more() -> None:
    key = key_of("signer")
    signature = signing.sign_json(key, {"a": 1})
    public = key.public_key()
    assert not signing.verify_json(public, {"a": 2}, signature)
    assert not signing.verify_json(key_of("other").public_key(), {"a": 1}, signature)
    for member in signature:
        assert not signing.verify_json(public, {"a": 1}, {**signature, member: "x"})
    assert not signing.verify_json(public, {"a": 1}, {**signature, "more": ""})


def test_only_the_one_text_of_a_signature_is_read() -> None:
    text = signing.encode_signature(RFC_SIGNATURE)
    assert signing.decode_signature(text.encode()) == RFC_SIGNATURE
    assert text.endswith("AA==")
    assert signing.decode_signature(text.replace("AA==", "AB==").encode()) is None
