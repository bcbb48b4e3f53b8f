"""What is derived from the secret key: digests of keys, webhook secrets, links."""

import base64
import time

import pytest

from core.errors import BadSignature, Unauthenticated
from core.signing import check_link, key_digest, new_key, sign_link, webhook_secret


def test_a_key_has_its_shape_and_never_comes_twice():
    keys = {new_key() for _ in range(100)}
    assert 100 == len(keys)
    assert all(key.startswith("atl_") and 60 == len(key) for key in keys)


def test_the_digest_does_not_show_the_key():
    key = new_key()
    digest = key_digest("secret", key)
    assert key_digest("secret", key) == digest
    assert digest not in (key_digest("another secret", key), key_digest("secret", new_key()))
    assert key[4:52] not in digest


@pytest.mark.parametrize(
    "key", ["", "atl_", "secret", "atl_" + "0" * 56, "ATL_" + "0" * 56, "atl_" + "ö" * 56, "atl_\0", "x" * 10_000]
)
def test_text_that_is_not_a_key_is_refused(key):
    with pytest.raises(Unauthenticated):
        key_digest("secret", key)


@pytest.mark.parametrize("place", [4, 20, 51, 52, 59])
def test_a_typing_error_is_found_by_the_checksum(place):
    key = new_key()
    wrong = key[:place] + ("0" if key[place] != "0" else "1") + key[place + 1 :]
    with pytest.raises(Unauthenticated):
        key_digest("secret", wrong)


def test_a_webhook_secret_follows_the_standard():
    secret = webhook_secret("secret", "ten_1", 1)
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64


def test_webhook_secrets_differ_by_owner_and_generation():
    made = {
        webhook_secret(key, tenant, generation)
        for key in ("a", "b")
        for tenant in ("t", "t\n1", "u")
        for generation in (1, 11)
    }
    assert 12 == len(made)
    assert webhook_secret("a", "t", 1) in made


def test_a_link_verifies():
    check_link("secret", "/o/job_1/0.webp", sign_link("secret", "/o/job_1/0.webp"))
    later = int(time.time()) + 60
    check_link("secret", "a", sign_link("secret", "a", expires=later), expires=later)


@pytest.mark.parametrize(
    ("key", "what", "expires"),
    [("another", "/o/job_1/0.webp", 0), ("secret", "/o/job_1/1.webp", 0), ("secret", "/o/job_1/0.webp", 2**40)],
)
def test_a_link_that_was_changed_does_not_verify(key, what, expires):
    signature = sign_link("secret", "/o/job_1/0.webp")
    with pytest.raises(BadSignature):
        check_link(key, what, signature, expires=expires)


@pytest.mark.parametrize("signature", ["", "x", "ü", "\0", "\ud800", "A" * 10_000])
def test_nonsense_is_a_bad_signature(signature):
    with pytest.raises(BadSignature):
        check_link("secret", "a", signature)


def test_a_link_expires():
    earlier = int(time.time()) - 1
    with pytest.raises(BadSignature, match="expired"):
        check_link("secret", "a", sign_link("secret", "a", expires=earlier), expires=earlier)
