"""An X server is not what its service's file says. The image is the laboratory's own (profiles/displays)."""
from lab import images
from lab.row import SEEN, Like

from .services import runs

SLOW = {"image": images.built("displays"), "limit_s": 120, "vm": {"memory_mib": 384}}
SERVER = "exec Xvfb :1 -screen 0 800x600x24 -nolisten tcp"
STARTS_S = 8   # before it listens, under emulation


def display(**more):
    return {"ready": {"x11": {"display": ":1", **more}}}


ROWS = [
    runs("display-taken", "a second X server on display :1", "service.display_taken", SERVER, {"display": ":1", "holder": Like(r"^<first> \(pid \d+\)$")},
         {**display(), "after": ["<first>"]}, others={"<first>": {"exec": ["/bin/sh", "-c", SERVER], **display(), "restart": "never"}}, later_s=STARTS_S, **SLOW, no_evidence=SEEN),
    runs("screen-size", "the X screen has another size than its file says", "service.screen_size", SERVER, {"wanted": "1280x800", "found": "800x600"},
         display(size="1280x800"), later_s=STARTS_S, **SLOW, no_evidence=SEEN),
    runs("window-manager-absent", "no window manager on the X display", "service.no_window_manager", SERVER, {}, display(window_manager=True), later_s=STARTS_S, **SLOW, no_evidence=SEEN),
    runs("window-manager-elsewhere", "the window manager manages another display", "service.no_window_manager", "exec env DISPLAY=:2 openbox", {},
         {**display(window_manager=True), "after": ["<first>", "<second>"]},
         others={"<first>": {"exec": ["/bin/sh", "-c", SERVER], **display(), "restart": "never"},
                 "<second>": {"exec": ["/bin/sh", "-c", SERVER.replace(":1", ":2")], "ready": {"x11": {"display": ":2"}}, "restart": "never"}}, later_s=STARTS_S, **SLOW, no_evidence=SEEN),
    runs("lock-of-a-stranger", "the X server's lock names a living process that is none", "service.exited", SERVER, {"code": 1},
         display(), prepare="printf '%10d\\n' 1 >/tmp/.X1-lock", evidence=(Like("remove /tmp/.X1-lock"),), later_s=STARTS_S, **SLOW),
]
