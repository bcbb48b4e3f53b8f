"""Errors of msgspec for a bad body, as precise refusals."""

import msgspec
import pytest

from api.http.msgspec_errors import refusal
from api.native.webhooks.endpoints import NewWebhook
from core.errors.fields import InvalidJson, MissingField, OutOfRange, UnknownField, WrongType
from jobs.params.image import ImageParams
from jobs.params.video import VideoParams


def refuse(body: bytes, type_=ImageParams):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as caught:
        msgspec.json.decode(body, type=type_)
    return refusal(caught.value, type_)


@pytest.mark.parametrize(
    ("body", "kind", "field", "sentence"),
    [
        (b"{}", MissingField, "$.prompt", "`prompt` is required; add it."),
        (
            b'{"prompt":"a","hight":1}',
            UnknownField,
            "$.hight",
            "Unknown field `hight`; did you mean `height`?",
        ),
        (b'{"prompt":"a","zzz":1}', UnknownField, "$.zzz", "Unknown field `zzz`; remove it."),
        (b'{"prompt":1}', WrongType, "$.prompt", "`prompt` must be a string, not a whole number."),
        (b'{"prompt":null}', WrongType, "$.prompt", "`prompt` must be a string, not null."),
        (b'{"prompt":"a","width":"1"}', WrongType, "$.width", "`width` must be a whole number, not a string."),
        (b'{"prompt":"a","width":1.5}', WrongType, "$.width", "`width` must be a whole number, not a number."),
        (b'{"prompt":"a","model":1}', WrongType, "$.model", "`model` must be a string or null, not a whole number."),
        (b'{"prompt":"a","palette":"x"}', WrongType, "$.palette", "`palette` must be an array, not a string."),
        (b'{"prompt":"a","modality":1}', WrongType, "$.modality", "`modality` must be 'image' here, or be left out."),
        (b'{"prompt":"a","width":3000}', OutOfRange, "$.width", "`width` must be at most 2048."),
        (b'{"prompt":"a","width":-1}', OutOfRange, "$.width", "`width` must be at least 64."),
        (b'{"prompt":"a","width":99999999999999999999}', OutOfRange, "$.width", "`width` must be at most 2048."),
        (b'{"prompt":""}', OutOfRange, "$.prompt", "`prompt` must not be empty."),
        (
            b'{"prompt":"a","output_format":"gif"}',
            OutOfRange,
            "$.output_format",
            "`output_format` must be one of 'jpeg', 'png', 'webp'.",
        ),
        (
            b'{"prompt":"a","output_format":"jpg"}',
            OutOfRange,
            "$.output_format",
            "`output_format` must be one of 'jpeg', 'png', 'webp'; did you mean 'jpeg'?",
        ),
        (
            b'{"prompt":"a","modality":"video"}',
            OutOfRange,
            "$.modality",
            "`modality` must be 'image' here, or be left out.",
        ),
        (
            b'{"prompt":"a","guidance_scale":1e999}',
            OutOfRange,
            "$.guidance_scale",
            "`guidance_scale` is too large a number; send a smaller one.",
        ),
    ],
)
def test_a_fault_names_its_field_and_what_to_do(body, kind, field, sentence):
    error = refuse(body)
    assert kind is type(error)
    assert field == error.field
    assert sentence == error.detail


def test_an_entry_of_a_list_of_words():
    error = refuse(b'{"url":"http://a/b","events":["job.queued","job.complete"]}', NewWebhook)
    assert (OutOfRange, "$.events[1]") == (type(error), error.field)
    assert error.detail.startswith("`events[1]` must be one of 'chain.cancelled', 'chain.completed', ")
    assert error.detail.endswith("; did you mean 'job.completed'?")


def test_a_text_of_another_pattern():
    error = refuse(b'{"prompt":"a","palette":["red"]}')
    assert (OutOfRange, "$.palette[0]") == (type(error), error.field)
    assert error.detail.startswith("`palette[0]` must match the pattern '^#[0-9A-Fa-f]{6}")


def test_a_side_that_is_no_multiple():
    error = refuse(b'{"input_image":"http://a/b","width":65}', VideoParams)
    assert (OutOfRange, "$.width", "`width` must be a multiple of 32.") == (type(error), error.field, error.detail)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"prompt":"a"} x',
        b'{"prompt":"\xff"}',
        b'{"prompt":"\\ud800"}',
        b'{"prompt":"a","guidance_scale":NaN}',
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_object(body):
    error = refuse(body)
    assert InvalidJson is type(error)
    assert error.detail.endswith("send a JSON object with Content-Type application/json.")


def test_a_field_that_tries_to_look_like_a_path():
    error = refuse(b'{"prompt":"a","x` - at `$.width":1}')
    assert UnknownField is type(error)


def test_every_word_of_msgspec_is_a_refusal_of_some_kind():
    """A message that a later msgspec invents is still a 422 with its field."""
    error = refusal(msgspec.ValidationError("Something new - at `$.width`"), ImageParams)
    assert (WrongType, "$.width", "`width`: Something new.") == (type(error), error.field, error.detail)


def test_a_value_that_is_no_body_has_its_own_root():
    error = refusal(msgspec.ValidationError("Expected `int` <= 100 - at `$`"), root="query.limit")
    assert (OutOfRange, "query.limit", "`limit` must be at most 100.") == (type(error), error.field, error.detail)


def test_a_long_unknown_name_is_compared_by_its_begin():
    error = refusal(msgspec.ValidationError(f"Object contains unknown field `width{'a' * 5_000_000}`"), ImageParams)
    assert f"Unknown field `width{'a' * 75}`; remove it." == error.detail
