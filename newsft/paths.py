"""Where the project's own files lie."""

from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"


def public_path(source: str) -> str:
    """What readers may know of a path: inside the project the way from there, of any other one on this machine the last part; a hub id as it is."""
    short = short_path(source)
    return Path(short).name if Path(short).is_absolute() else short


def short_path(source: str) -> str:
    """A path inside the project without the place where the project lies; anything else as it is."""
    return str(Path(source).relative_to(ASSETS.parent)) if source.startswith(str(ASSETS)) else source
