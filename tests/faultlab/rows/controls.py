"""Nothing is broken: no cause may be raised."""
import json
import signal
import subprocess
import time

from lab import images, link
from lab.outside import answers, serves
from lab.row import Row, Script

from . import signin
from .displays import SERVER, display
from .kernel import Starved

ONCE = {"essential": False, "restart": "never"}
LATE = {"after": ["web", "echo", "ticker"]}


def quiet(name, what, script="", ready=None, **more):
    spec = {"exec": Script(script), **more.pop("spec", {})}
    if ready is not None:
        spec["ready"] = ready
    return Row(name, what, "", services={"<service>": spec} if script else {}, **more)


def stopped_and_started(scene):
    api, vm = scene.lab.daemon.api, scene.vm["id"]
    scene.lab.daemon.vigil("stop", vm, check=0)
    api.post(f"/v1/instances/{vm}/start")
    wait_ready_again(scene, 2)


def rebooted(scene):
    scene.lab.daemon.api.post(f"/v1/instances/{scene.vm['id']}/stop", {"reboot": True, "grace_s": 60})
    wait_ready_again(scene, 2)


def device_pauses(scene):
    scene.kill("device", signal.SIGSTOP)
    subprocess.run(["sleep", "6"], check=True)
    scene.kill("device", signal.SIGCONT)


def slowed(scene):
    """It boots with a third of a processor, and gets all of one when it is ready."""
    scene.opened.append(Starved(scene.pid("vmm"), 350_000))


def at_full_speed(scene):
    scene.opened.pop().close()


def service_restarted(scene):
    """By the API, as `vigil ctl VM restart web` does: down, and ready again."""
    api, vm, ready = scene.lab.daemon.api, scene.vm["id"], 0
    api.post(f"/v1/instances/{vm}/services/web", {"action": "restart"})
    for event in api.events(vm, deadline=60):
        ready += event["type"] == "service" and event["body"]["name"] == "web" and event["body"]["state"] == "ready"
        if ready == 2:
            return


def link_cut(scene):
    """Three times at drawn moments, while services come and go; every service's end must have come through all the same."""
    for _ in range(3):
        time.sleep(scene.random.uniform(0.2, 2))
        before = newest(scene)
        if not link.cut(scene):
            raise RuntimeError("there was no link to cut")
        next(e for e in scene.lab.daemon.api.events(scene.vm["id"], after=before, deadline=40) if e["type"] == "link_up")
    waiting = {scene.name(f"step{number}") for number in range(STEPS)}
    for event in scene.lab.daemon.api.events(scene.vm["id"], deadline=60):
        if event["type"] == "dropped":
            raise RuntimeError(f"reports were lost: {event['body']}")
        if event["type"] == "service" and event["body"]["state"] == "stopped":
            waiting.discard(event["body"]["name"])
        if not waiting:
            return contiguous(scene)


def newest(scene):
    data = scene.lab.daemon.api.raw("GET", f"/v1/events?after=0&follow=0&instance={scene.vm['id']}")[1]
    return max(int(line[3:]) for line in data.splitlines() if line.startswith(b"id:"))


def contiguous(scene):
    """The guest numbers its reports: none is missing, none came twice."""
    data = scene.lab.daemon.api.raw("GET", f"/v1/events?after=0&follow=0&instance={scene.vm['id']}")[1]
    events = [json.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]
    reports = [e["body"]["report"] for e in events if "report" in e["body"]]
    numbers = [r["seq"] for r in reports if r["channel"] == "link" and not r["partial"]]
    if sorted(numbers) != list(range(1, max(numbers) + 1)):
        raise RuntimeError(f"reports that came whole over the link: {sorted(numbers)}")


STEPS = 10


def wait_ready_again(scene, run):
    for event in scene.lab.daemon.api.events(scene.vm["id"], deadline=90):
        if event["type"] == "state" and event["run"] == run and event["body"]["state"] == "ready":
            return


TOKENS = "{" + ",".join(f'"{name}":"<word:{name.replace("_", "")}>"' for name in ("id_token", "access_token", "refresh_token", "account_id")) + "}"
SIGNS_IN = (f"echo '{signin.URL}'; sleep 3; " + signin.FILE.format(".codex", "auth.json", f"""'{{"OPENAI_API_KEY":null,"last_refresh":"2026-01-01T00:00:00Z","tokens":{TOKENS}}}'""")
            + "echo 'Successfully logged in'")
FRIGHTENING = ("echo 'Out of memory: Killed process 1 (init)'; echo 'bind: Address already in use' >&2; echo 'Segmentation fault' >&2; "
               "echo 'error while loading shared libraries: libnone.so.1: cannot open' >&2; echo >&3; exec sleep 1000")

ROWS = [
    Row("plain", "the image as it is", "", ci=True),
    quiet("slow-service", "a service that needs four seconds to listen", "sleep 4; exec socat TCP-LISTEN:<port:a>,fork PIPE",
          {"tcp": {"port": "<port:a>"}}, ci=True),
    quiet("small-machine", "the least memory that the image allows", vm={"memory_mib": 128}),
    quiet("heavy-logging", "a service that writes 4 MiB to its output", "head -c 4194304 /dev/zero | tr '\\0' 'x' | fold -w 120; echo >&3; exec sleep 1000",
          {"notify-fd": {}}, ci=True),
    quiet("frightening-words", "a healthy service whose output reads like trouble", FRIGHTENING, {"notify-fd": {}}, ci=True),
    quiet("one-shot", "a service that does its work and ends", "mkdir -p /run/<word:done>; exit 0", ci=True, spec={"restart": "on-failure"}),
    quiet("clock-step", "the clock is set by half a second, as NTP does", "busybox date -s @$(date +%s) >/dev/null; echo >&3; exec sleep 1000",
          {"notify-fd": {}}, ci=True),
    quiet("busy-processor", "a service that computes for some seconds", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo >&3; exec sleep 1000",
          {"notify-fd": {}}, ci=True),
    quiet("near-its-limit", "a service that stays just below its memory limit",
          "perl -e '$x = \"a\" x (16 << 20); open(R, \">&=3\"); syswrite(R, \"\\n\"); sleep 1000'", {"notify-fd": {}},
          spec={"limits": {"memory": "48M"}}, ci=True),
    quiet("many-children", "a service with many short-lived children, some of them failing",
          "i=0; while [ $i -lt 60 ]; do /bin/false; /bin/true; i=$((i+1)); done; echo >&3; exec sleep 1000", {"notify-fd": {}}),
    quiet("kills-its-worker", "a service that ends its own worker by SIGKILL", "sleep 1000 & kill -9 $!; wait; echo >&3; exec sleep 1000", {"notify-fd": {}}),
    quiet("reaches-out", "a service that fetches a page outside, as its policy allows",
          "busybox wget -q -O /dev/null http://<word:site>.test:<port:site>/ && echo >&3; exec sleep 1000", {"notify-fd": {}}, ci=True,
          vm={"egress": {"allow": ["<word:site>.test:*"], "networks": ["127.0.0.1/32"], "hosts": {"<word:site>.test": "127.0.0.1"}}},
          at_created=serves("site", answers("HTTP/1.1 200 OK", "Content-Length: 0", "Connection: close"))),
    quiet("greets-when-spoken-to", "a VNC server that greets late", "exec socat TCP-LISTEN:<port:a>,fork,reuseaddr SYSTEM:'sleep 12; echo RFB 003.008; sleep 5'",
          {"rfb": {"port": "<port:a>"}}),
    Row("signs-in", "a user signs in to a coding CLI", "", files={"/usr/bin/codex": signin.script_file(SIGNS_IN)}, **signin.WAITS,
        at_ready=signin.signs_in("codex"), watch_s=15, ci=True),
    Row("planned-reboot", "the VM is rebooted on request", "", at_ready=rebooted, ci=True),
    Row("stop-and-start", "the VM is stopped and started again", "", at_ready=stopped_and_started),
    Row("service-restarted", "a service is restarted on request", "", at_ready=service_restarted, ci=True),
    Row("slow-boot", "the VM boots with a third of a processor", "", at_start=slowed, at_ready=at_full_speed, limit_s=150),
    Row("link-cut-at-random", "the link is cut three times at random while reports flow", "", at_ready=link_cut, services={
        f"<step{number}>": {"exec": ["/bin/sleep", "0.4"], "restart": "on-failure", "essential": False, "after": ["web"] + [f"<step{n}>" for n in [number - 1] if n >= 0]}
        for number in range(STEPS)}, limit_s=90),
    Row("busy-for-a-minute", "a VM under load is watched for a minute", "", watch_s=60, limit_s=90, services={
        "<busy>": {"exec": ["/bin/sh", "-c", "i=0; while :; do i=$((i+1)); [ $((i % 5000)) -ne 0 ] || echo $i; done"], **LATE, **ONCE}}),
    Row("lock-of-a-dead-x-server", "an X server finds the lock of a dead one, and takes it over", "", image=images.built("displays"), limit_s=120, vm={"memory_mib": 384},
        prepare="printf '%10d\\n' 4711 >/tmp/.X1-lock", services={"<server>": {"exec": ["/bin/sh", "-c", SERVER], **display(), "restart": "never"}}),
    Row("link-interrupted", "the vsock device stands still for six seconds", "", at_ready=device_pauses, watch_s=8),
]
