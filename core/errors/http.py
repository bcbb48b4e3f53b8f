"""Requests that are wrong as HTTP, whatever they ask for."""

from core.errors.base import RequestRefused


class MalformedRequest(RequestRefused):
    """A request that is not HTTP/1.1, or can be read in two ways."""

    code, status = "malformed_request", 400
    advice = (
        "The request is not valid HTTP/1.1; send one Host header, no line breaks within a header, and Content-Length "
        "or `Transfer-Encoding: chunked`, not both."
    )


class RequestTimedOut(RequestRefused):
    """A request that did not arrive in time."""

    code, status = "request_timed_out", 408
    advice = "The request did not arrive in time; send it again, over a faster connection or with a smaller body."


class BodyTooLarge(RequestRefused):
    """A request body over the limit."""

    code, status = "body_too_large", 413
    advice = (
        "The body is too large; send at most 256 kB of JSON, 28 MB where media may be in it. Upload larger media with "
        "POST /inputs/v1."
    )


class UnsupportedType(RequestRefused):
    """A body of another media type than JSON."""

    code, status = "unsupported_type", 415
    advice = "This route takes JSON; send an object with Content-Type application/json, and files to POST /inputs/v1."


class UnsupportedEncoding(UnsupportedType):
    """A body that the client has compressed."""

    code = "unsupported_encoding"
    advice = "Compressed bodies are not decoded here; send the body as it is, without Content-Encoding."


class HeadTooLarge(RequestRefused):
    """A request head, a chunk header or trailers over the limit."""

    code, status = "head_too_large", 431
    advice = "The head of the request is too large; send fewer or shorter headers, and large content in the body."


class UnknownRoute(RequestRefused):
    """A path without a route."""

    code, status = "not_found", 404
    advice = "This path does not exist; the page at /schema lists all paths."


class WrongMethod(RequestRefused):
    """A path that exists with other methods only."""

    code, status = "method_not_allowed", 405
    advice = "This path does not accept this method; use one of the Allow header."


class BadRange(RequestRefused):
    """A Range header with bytes beyond the end of the file."""

    code, status = "range_not_satisfiable", 416
    advice = "The Range is beyond the end of the file; use one within the length in the Content-Range header."


class NotOffered(RequestRefused):
    """A route of another service that this one answers, but cannot serve."""

    code, status = "not_offered", 501
    advice = "This service does not offer that; its documentation lists what it does."
