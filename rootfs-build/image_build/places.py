"""Where things lie by default, as the daemon and ./dev see it too."""
import os
import pathlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROFILES = REPOSITORY / "rootfs-build" / "profiles"
KERNELS = REPOSITORY / "rootfs-build" / "kernels"
AGENT = REPOSITORY / "build/release/bin/vigil-guest"
CORE_HELPER = REPOSITORY / "build/release/bin/vigil-core"


def images():
    if os.geteuid() == 0:
        return pathlib.Path("/var/lib/vigil/images")
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local/state")
    return pathlib.Path(state) / "vigil" / "images"


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "vigil" / "images"
