"""Conditions of a request (RFC 9110 §13): whether an entity tag is one of those that it names. Serves api."""

import re

from starlette.datastructures import Headers

from sftp_gateway.web.problem import Problem

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
ANY = "*"


def is_known(headers: Headers, etag: str) -> bool:
    """Tell whether the client has these bytes already (If-None-Match). Problem: it wants others (If-Match)."""
    if "if-match" in headers and not _names(headers, "if-match") & {ANY, etag}:  # a weak tag is none of ours
        raise Problem("precondition", f"If-Match names other bytes; these are {etag}")
    return bool({ANY, etag} & {tag.removeprefix("W/") for tag in _names(headers, "if-none-match")})


def check_list(headers: Headers) -> None:
    """See that a POST to a list may go on: the list is there, and has no entity tag. Problem."""
    if "if-match" in headers and ANY not in _names(headers, "if-match"):
        raise Problem("precondition", "If-Match names a state of what is sent to, and an upload depends on none")
    if ANY in _names(headers, "if-none-match"):
        raise Problem(
            "precondition", "If-None-Match: * asks for a place where nothing is; an upload never replaces one"
        )


def _names(headers: Headers, name: str) -> set[str]:
    """Give the tags that a header names, or `*`."""
    text = ",".join(headers.getlist(name))
    return {ANY} if text.strip() == ANY else set(_TAG.findall(text))
