"""What the web server lets in and out: the routes that the page and its clients use, bodies that it can hold, nothing of other hosts.

Gradio opens many more routes than this page needs; one of them fetches addresses for whoever asks, one writes sessions to the disk.
"""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsft import compat
from newsft.errors import UserError
from newsft.page.texts import LANGUAGES, say

MOST_BYTES = 8_000_000  # of a request's body; a text of a million characters passes, so that the page can say which limit it exceeds
ROUTES = re.compile(
    r"/(config/?|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon(/\d+)?|(assets|static|svelte)/.+"
    r"|gradio_api/(info/?|openapi\.json|startup-events|theme\.css|app_id/?|queue/(join|data)|(run|call)/.+|cancel|reset/?|heartbeat/\w+|file=(?!https?:).+))?"
)
DOCUMENTS = ("/", "/config", "/config/")
UPLOADS = re.compile(r"/gradio_api/upload(_progress)?")  # open only where readers may train on files of their own
# Who may show the page in a frame besides itself: Hugging Face, where Spaces are shown, and pages of Spaces, which others may embed.
FRAMES = ("https://huggingface.co", "https://*.hf.space")
ORIGIN = re.compile(
    r"https?://(\*\.)?[\w-]+(\.[\w-]+)*(:\d+)?"
)  # what a content security policy takes for a host, and nothing that could end its rule


def check_frames(origins: Sequence[str]) -> tuple[str, ...]:
    """`origins` if each is the address of a site, such as https://lms.example.org; UserError for any other."""
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise UserError(
                f"--frame-ancestors {origin} is no address of a site; give scheme and host alone, such as https://lms.example.org or https://*.example.org."
            )
    return tuple(origins)


HEADERS = {
    # Gradio's settings are inline scripts, and it compiles its events' JavaScript, so both are allowed. Inline handlers (onerror=...), which injected markup would need, are not.
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "script-src-attr 'none'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class SecurityMiddleware:
    """The ASGI middleware; `launch_settings` puts it in front of Gradio. `frames` are the sites that may show the page in a frame; `uploads`: files may be sent."""

    def __init__(self, app: ASGIApp, *, frames: Sequence[str] = (), uploads: bool = False):
        self.app, self.uploads = app, uploads
        policy = "; ".join((HEADERS["Content-Security-Policy"], " ".join(("frame-ancestors 'self'", *FRAMES, *frames))))
        self.headers = HEADERS | {"Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body counted and our headers on its answer, or refuse it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        taken = 0

        async def count() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST_BYTES:
                raise HTTPException(413, _too_large())
            return message

        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if not ROUTES.fullmatch(path) and not (self.uploads and UPLOADS.fullmatch(path)):
            return await _refuse(404, "This address is closed.", scope, receive, answer)
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return await _refuse(413, _too_large(), scope, receive, answer)
        return await self.app(scope, count, answer)


class CompressedDocuments:
    """The ASGI middleware that compresses the page's document and its settings. Gradio 6.31 compresses by the ending of an address, which these have not:
    two fifths of what a first visit loads, and nearly all of a later one.
    """

    def __init__(self, app: ASGIApp):
        self.app, self.compressed = app, GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else None
        await (self.compressed if path in DOCUMENTS else self.app)(scope, receive, send)


class RelativeLinks:
    """The ASGI middleware that makes the page's addresses relative: behind a proxy they lead to the proxy, whatever path it has and whatever headers it sends.

    A program that asks for /config has no page whose address would complete a relative one.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and (scope["path"] == "/" or scope["path"].startswith("/gradio_api/")):
            scope = {**scope, "headers": compat.with_relative_links(scope["headers"])}
        await self.app(scope, receive, send)


async def _refuse(status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    # The body is read and dropped: a client that is still sending would see a broken connection in the place of the answer.
    while (await receive()).get("more_body"):
        pass
    await JSONResponse({"detail": reason, "error": reason}, status)(
        scope, receive, send
    )  # Gradio's page shows `error`, its Python client `detail`


def _too_large() -> str:
    return " ".join(
        say("error_request_too_large", language, limit=MOST_BYTES // 10**6) for language in LANGUAGES.values()
    )
