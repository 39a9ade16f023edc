"""Answers that a browser keeps, and asks for again only where they have changed."""

import hashlib

from aiohttp import ETag, web


def send_if_changed(request: web.Request, body: bytes, content_type: str) -> web.Response:
    """The body, or 304 where the request names the tag of this very body."""
    # Weak, because the same body may be sent compressed or not.
    tag = ETag(hashlib.sha256(body).hexdigest()[:32], is_weak=True)
    known = request.if_none_match or ()
    if any(one.value in {tag.value, "*"} for one in known):
        response = web.Response(status=304)
    else:
        response = web.Response(body=body, content_type=content_type, charset="utf-8")
        response.enable_compression()
    response.etag = tag
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    return response
