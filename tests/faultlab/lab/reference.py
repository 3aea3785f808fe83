"""What the reference system's method would have told of the same run.

It asks port 8080 of the VM every 2 s, up to 180 s, and knows nothing else. These VMs have no network card, so the port is not dialled: whether an asker
would have had an answer is taken from the run's own events (the service `web` listens on 8080), and the 180 s are scaled down to the row's own length.
"""
POLL_US, SECONDS = 2_000_000, 180
SILENT = f"VM not ready after {SECONDS}000ms"


class Reference:
    def __init__(self):
        self.intervals, self.open_since = [], None

    def note(self, event):
        body, at = event["body"], event["at_unix_us"]
        answers = None
        if event["type"] == "service" and body.get("name") == "web":
            answers = body["state"] == "ready"
        if event["type"] in ("vmm_exited", "start_failed"):
            answers = False
        if answers and self.open_since is None:
            self.open_since = at
        if answers is False and self.open_since is not None:
            self.intervals.append((self.open_since, at))
            self.open_since = None

    def says(self, started_us, ended_us):
        intervals = self.intervals + ([(self.open_since, ended_us)] if self.open_since is not None else [])
        at = started_us
        while at <= ended_us:
            if any(low <= at <= high for low, high in intervals):
                return f"ready after {(at - started_us) // 1_000_000} s, and nothing more"
            at += POLL_US
        return SILENT
