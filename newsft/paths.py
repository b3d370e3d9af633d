"""Where the project's own files lie."""

from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"


def short_path(source: str) -> str:
    """A path inside the project without the place where the project lies; anything else as it is."""
    return str(Path(source).relative_to(ASSETS.parent)) if source.startswith(str(ASSETS)) else source
