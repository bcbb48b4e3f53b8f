"""What is derived from the secret key: digests of keys, webhook secrets, links."""

import base64
import time

import pytest

from core.errors.access import BadSignature, Unauthenticated
from core.settings import Settings
from core.signing import (
    check_link,
    check_secret_key,
    key_digest,
    key_digests,
    new_key,
    sign_link,
    webhook_secret,
    webhook_secrets,
)


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


class TestRing:
    """Two keys of the service: the first signs, both verify."""

    def test_what_the_old_key_signed_verifies_for_the_overlap(self):
        signature = sign_link("old", "/o/job_1/0.webp")
        for ring in ("old", "new,old", "new , old", "old,new"):
            check_link(ring, "/o/job_1/0.webp", signature)
        with pytest.raises(BadSignature):
            check_link("new", "/o/job_1/0.webp", signature)

    def test_the_first_key_signs(self):
        key = new_key()
        assert sign_link("new", "a") == sign_link("new,old", "a")
        assert key_digest("new", key) == key_digest("new,old", key)
        assert webhook_secret("new", "ten_1", 1) == webhook_secret("new,old", "ten_1", 1)

    def test_every_key_has_a_digest_and_a_webhook_secret(self):
        key = new_key()
        assert (key_digest("new", key), key_digest("old", key)) == key_digests("new,old", key)
        both = (webhook_secret("new", "ten_1", 2), webhook_secret("old", "ten_1", 2))
        assert both == webhook_secrets("new,old", "ten_1", 2)

    @pytest.mark.parametrize("ring", ["k" * 32, "k" * 32 + ",old", "ü" * 16])
    def test_a_key_of_32_bytes_may_sign(self, ring):
        check_secret_key(Settings(secret_key=ring))

    @pytest.mark.parametrize("ring", ["k" * 31, "old," + "k" * 32, "x"])
    def test_a_shorter_one_may_sign_in_development_only(self, ring):
        with pytest.raises(ValueError, match=r"^ATELIER_SECRET_KEY: .* 32 bytes"):
            check_secret_key(Settings(secret_key=ring))
        check_secret_key(Settings(secret_key=ring, development=True))

    def test_without_a_key_nothing_starts(self):
        with pytest.raises(ValueError, match="ATELIER_SECRET_KEY is not set"):
            check_secret_key(Settings(development=True))
