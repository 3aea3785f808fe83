"""From the guest's clock to the host's: by the link's pings, which the host stores as events."""
import re
import statistics


class Clock:
    def __init__(self):
        self.pings, self.unix_minus_mono, self.started_unix_us, self.kernel_seen = [], [], None, None
        self.stages = {}

    def note(self, event):
        body = event["body"]
        if event.get("mono_us"):
            self.unix_minus_mono.append(event["at_unix_us"] - event["mono_us"])
        if event["type"] == "clock_synced":
            self.pings.append((body["rtt_us"], body["offset_us"]))
        if event["type"] == "vmm_started":
            self.started_unix_us = event["at_unix_us"]
        if event["type"] == "stage" and body.get("phase") == "done" and body["report"]["mono_us"]:   # a digest from the console carries no time
            self.stages.setdefault(body["stage"], body["report"]["mono_us"])

    def to_unix_us(self, guest_us):
        """None while the clocks were never compared (no link)."""
        if not self.pings or not self.unix_minus_mono:
            return None
        return guest_us + min(self.pings)[1] + statistics.median(self.unix_minus_mono)

    def instant(self, scene, console, named_us):
        """When the evidence of the row's fault existed, in host time; with the text that says how that is known."""
        since = scene.row.since
        if since == "host":
            return scene.host_instant_us, "host"
        if since == "start":
            return self.started_unix_us or scene.host_instant_us, "start of the VMM"
        guest_us = self.guest_us(since, scene, console)
        stamps = [self.to_unix_us(us) for us in guest_us]
        stamps = [s for s in stamps if s is not None]
        if not stamps:
            return self.started_unix_us, "start of the VMM (no guest clock)"
        before = [s for s in stamps if named_us is None or s <= named_us + 20_000]
        return max(before or stamps[:1]), "guest"

    def guest_us(self, since, scene, console):
        if since == "stamp":
            return [int(a) * 1_000_000 + int(b) * 10_000 for a, b in re.findall(rf"{scene.nonce} (\d+)\.(\d\d)", console)]
        kind, _, text = since.partition(":")
        if kind == "stage":
            return [self.stages[text]] if text in self.stages else []
        lines = re.findall(rf"\[ *(\d+)\.(\d{{6}})\][^\n]*?{scene.fill(text, re.escape)}", console)
        return [int(a) * 1_000_000 + int(b) for a, b in lines]
