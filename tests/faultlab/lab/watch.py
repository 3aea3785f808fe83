"""Follows one VM's event stream from the start until its fault is named, or until the row's time is over. Nothing is asked without an event."""
import json
from dataclasses import dataclass, field

from . import match
from .clock import Clock
from .reference import SCALED_S, Reference

# What can change a verdict; the other events only tell times.
TELLING = ("crash", "service", "stage", "health", "state", "console_finding", "vmm_exited", "device_exited", "start_failed", "egress_refused", "signin", "pulse",
           "link_lost", "link_refused", "vmm_halted", "deadline_passed", "bye", "shim_lost")

UNNAMED_S = 25   # a row that is known not to be named runs all the same, but is not waited for

CLOCK_S = 3


@dataclass
class Result:
    row: object
    verdict: str = ""                           # named, late, wrong, wrong first, silent, no evidence; controls: quiet, alarm; error
    named: str = ""                             # what was named at the end
    before: list = field(default_factory=list)  # other main causes that were named before, in order
    wrong_before: list = field(default_factory=list)   # those of them that the row does not allow
    seconds: float | None = None                # from the row's instant to the subscriber, all of it
    since: str = ""
    total_s: float = 0
    missing: list = field(default_factory=list)
    service: str = ""                           # the service of what was named, and its evidence
    evidence: list = field(default_factory=list)
    reference: str = ""
    names: dict = field(default_factory=dict)
    note: str = ""
    events: list = field(default_factory=list)
    console: str = ""

    @property
    def good(self):
        return self.verdict in ("named", "quiet")


class Watch:
    def __init__(self, scene):
        self.scene, self.row, self.daemon = scene, scene.row, scene.lab.daemon
        self.clocks, self.reference, self.result = {}, Reference(), Result(scene.row)   # each run has a kernel, and so a clock, of its own
        self.why = {"verdict": None, "also": [], "state": ""}
        self.named_us, self.acted, self.alarms, self.run, self.runs = None, False, [], None, 1

    def follow(self):
        """Feeds on the stream; ends when the row is decided."""
        scene = self.scene
        try:
            for event in self.daemon.api.events(scene.vm["id"], deadline=self.patience_s()):
                self.note(event)
                if event["type"] == "vmm_started":
                    scene.started = event
                    if self.row.at_start:
                        self.row.at_start(scene)
                if event["type"] == "state" and event["body"]["state"] in ("ready", "degraded") and not self.acted:
                    self.acted = True
                    if self.row.at_ready:
                        self.row.at_ready(scene)
                if event["type"] in TELLING and self.decided(event):
                    break
                if event["type"] == "state" and event["body"]["outcome"] and event["run"] >= self.row.runs:
                    break   # the run has ended and its verdict is final
        except TimeoutError:
            pass
        self.wait_for_clock()

    def patience_s(self):
        return self.scene.lab.patience * (UNNAMED_S if self.row.not_yet else self.row.limit_s)

    def wait_for_clock(self):
        """The first word may have come by the console, before the clocks were compared: some seconds for the link to bring that, unless the VM has ended."""
        kind, _, stage = self.row.since.partition(":")
        clock = self.clocks.get(self.run)
        knows = clock and clock.pings and (kind != "stage" or stage in clock.stages)
        ended = any(e["type"] in ("vmm_exited", "start_failed") for e in self.result.events)
        if kind in ("host", "start") or knows or ended or self.named_us is None:
            return
        try:
            for event in self.daemon.api.events(self.scene.vm["id"], after=self.result.events[-1]["seq"], deadline=CLOCK_S):
                self.note(event)
                clock = self.clocks[event["run"]]
                if clock.pings and (kind != "stage" or stage in clock.stages):
                    return
        except TimeoutError:
            pass

    def note(self, event):
        self.result.events.append({key: value for key, value in event.items() if key != "seen_unix_us"})
        self.clocks.setdefault(event["run"], Clock()).note(event)
        self.reference.note(event)

    def decided(self, event):
        self.run = event["run"]   # a rebooting VM has several, and each its own verdict
        self.why = self.daemon.why(self.scene.vm, self.run)
        found = match.find(self.row, self.why, self.scene.fill)
        if found is None:
            self.named_us = None
            self.remember(self.why["verdict"])
            return False
        if self.named_us is None:
            self.named_us = self.scene.lab.unix_us()   # the answer is here; the event that led to it came before
        # The first word may be a digest from the console; the evidence comes with the full report.
        return not match.missing_evidence(self.row, found, self.scene.fill)

    def remember(self, main):
        """The same cause with less known of it is no other cause."""
        if not main or match.told(main) in self.result.before:
            return
        self.result.before.append(match.told(main))
        if main["cause"]["code"] not in (self.row.code, *self.row.allowed_before):
            self.result.wrong_before.append(match.told(main))

    # ---- after the stream ----

    def read_rest(self):
        """The answer may rest on events that the stream had not brought yet: a kept recording needs them."""
        after = self.result.events[-1]["seq"] if self.result.events else 0
        data = self.daemon.api.raw("GET", f"/v1/events?after={after}&follow=0&instance={self.scene.vm['id']}")[1]
        for line in data.splitlines():
            if line.startswith(b"data:"):
                self.note(json.loads(line[5:]))

    def read_console(self):
        of_run = f"?run={self.run}" if self.run else ""
        self.result.console = self.daemon.api.raw("GET", f"/v1/instances/{self.scene.vm['id']}/console{of_run}")[1].decode(errors="replace")
        return self.result.console

    def judge(self):
        scene, result = self.scene, self.result
        self.read_rest()
        self.why = self.daemon.why(scene.vm, self.run)
        found = match.find(self.row, self.why, scene.fill)
        clock = self.clocks.get(self.run) or Clock()
        instant, result.since = clock.instant(scene, self.read_console(), self.named_us)
        result.named = match.told(found or self.why["verdict"] or (self.why["also"] or [None])[0])
        if found is None:
            result.verdict = "wrong" if self.why["verdict"] else "silent"
            result.note = self.why["state"]
            return result
        result.missing = match.missing_evidence(self.row, found, scene.fill)
        result.service, result.evidence = found.get("service") or "", match.evidence_of(found)
        if instant is not None and self.named_us is not None:
            result.seconds = (self.named_us - instant) / 1e6
        deadline = self.row.deadline_s * scene.lab.scale
        if result.missing:
            result.verdict, result.note = "no evidence", "not in the evidence: " + "; ".join(result.missing)
        elif result.seconds is None:
            result.verdict, result.note = "late", "the instant of the fault is not known"
        elif result.seconds - self.row.later_s > deadline:
            result.verdict, result.note = "late", f"deadline {deadline:.0f} s" + (f" after {self.row.later_s:.0f} s" if self.row.later_s else "")
        elif result.wrong_before:
            result.verdict, result.note = "wrong first", "before it: " + "; ".join(result.wrong_before)
        else:
            result.verdict = "named"
        return result

    def ask_on(self):
        """The verdict is in; the reference's method asks on until the service that it asks for is ready, the VM has ended, or its time is over."""
        vm, last = self.scene.vm, self.result.events[-1]["seq"] if self.result.events else 0
        left = SCALED_S - (self.scene.lab.unix_us() - vm["created_unix_us"]) / 1e6
        if left <= 0 or self.reference.is_settled():
            return
        try:
            for event in self.daemon.api.events(vm["id"], after=last, deadline=left):
                self.reference.note(event)
                if self.reference.is_settled():
                    return
        except TimeoutError:
            pass


class QuietWatch(Watch):
    """A control: nothing is broken, so any cause, in any event or in the verdict, is a false alarm."""

    def follow(self):
        scene = self.scene
        deadline, after = self.patience_s(), 0
        try:
            for event in self.daemon.api.events(scene.vm["id"], deadline=deadline):
                self.take(event)
                after = event["seq"]
                if event["type"] == "state" and event["body"]["state"] == "ready":
                    break
        except TimeoutError:
            self.alarms.append("it did not become ready")
            return
        if self.row.at_ready:
            self.row.at_ready(scene)
        try:
            for event in self.daemon.api.events(scene.vm["id"], after=after, deadline=self.row.watch_s):
                self.take(event)
        except TimeoutError:
            pass

    def take(self, event):
        self.note(event)
        if event["type"] == "vmm_started":
            self.scene.started = event
            if self.row.at_start:
                self.row.at_start(self.scene)
        self.alarms += [f"{event['type']}: {cause['code']}" for cause in match.causes_in(event)]
        self.runs = max(self.runs, event["run"])

    def judge(self):
        result = self.result
        self.read_console()
        for run in range(1, self.runs + 1):
            self.why = self.daemon.why(self.scene.vm, run)
            self.alarms += [match.told(f) for f in [self.why["verdict"], *self.why["also"]] if f]
        if self.why["state"] not in ("ready", "stopped"):
            self.alarms.append(f"its state is {self.why['state']}")
        result.verdict = "alarm" if self.alarms else "quiet"
        result.named = "; ".join(dict.fromkeys(self.alarms)) or "nothing"
        return result
