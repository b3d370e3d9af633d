"""The browser of the tests and of the screenshots."""

import os
import shutil

CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
PROXY_HOST = "news.example.org"  # leads to this machine, for the tests behind a proxy
FLAGS = [
    f"--host-resolver-rules=MAP {PROXY_HOST} 127.0.0.1",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
