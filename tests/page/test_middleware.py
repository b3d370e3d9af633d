"""Who may show the page in a frame, and whether it takes files."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from newsft.errors import UserError
from newsft.page.middleware import SecurityMiddleware, check_frames
from newsft.page.page import launch_settings


def policy(**settings) -> str:
    """The content security policy of an answer."""

    async def app(scope, receive, send):
        await PlainTextResponse("")(scope, receive, send)

    return TestClient(SecurityMiddleware(app, **settings)).get("/").headers["content-security-policy"]


def frames(said: str) -> list[str]:
    return next(rule.split()[1:] for rule in said.split("; ") if rule.startswith("frame-ancestors"))


def test_spaces_may_frame_the_page_and_named_sites_beside_them():
    assert frames(policy()) == ["'self'", "https://huggingface.co", "https://*.hf.space"]
    assert frames(policy(frames=("https://lms.example.org",)))[3:] == ["https://lms.example.org"]
    assert launch_settings(frames=["https://lms.example.org:8443"])["app_kwargs"]["middleware"][0].kwargs["frames"] == (
        "https://lms.example.org:8443",
    )


@pytest.mark.parametrize(
    "wrong",
    ["lms.example.org", "*", "https://a.b; script-src *", "https://a.b/path", "'none'", "https://", "javascript:x"],
)
def test_what_is_no_site_is_refused(wrong):
    with pytest.raises(UserError, match="--frame-ancestors"):
        check_frames([wrong])


def test_files_are_taken_only_where_readers_may_train():
    async def app(scope, receive, send):
        await PlainTextResponse("")(scope, receive, send)

    found = {
        uploads: [
            TestClient(SecurityMiddleware(app, uploads=uploads)).post(f"/gradio_api/{route}").status_code
            for route in ("upload", "upload_progress", "upload/x", "proxy=x")
        ]
        for uploads in (False, True)
    }
    assert found == {False: [404] * 4, True: [200, 200, 404, 404]}
    for uploads, limit in ((False, "1mb"), (True, "6mb")):
        settings = launch_settings(uploads=uploads)
        assert settings["max_file_size"] == limit
        assert settings["app_kwargs"]["middleware"][0].kwargs["uploads"] is uploads
