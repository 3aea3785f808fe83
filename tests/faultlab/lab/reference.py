"""What the reference system's method would have told of the same run.

It asks port 8080 of the VM every 2 s, up to 180 s, and knows nothing else. These VMs have no network card, so the port is not dialled: whether an asker
would have had an answer is taken from the run's own events (the service `web` listens on 8080). The 180 s are scaled down to 18 s from the VM's creation; a row that
took longer than that to be named was asked for as long as it took.
"""
POLL_US, SECONDS, SCALED_S = 2_000_000, 180, 18


class Reference:
    def __init__(self):
        self.intervals, self.open_since, self.ended = [], None, False

    def note(self, event):
        body, at = event["body"], event["at_unix_us"]
        answers = None
        if event["type"] == "service" and body.get("name") == "web":
            answers = body["state"] == "ready"
        if event["type"] in ("vmm_exited", "start_failed"):
            answers, self.ended = False, True
        if event["type"] == "vmm_started":
            self.ended = False
        if answers and self.open_since is None:
            self.open_since = at
        if answers is False and self.open_since is not None:
            self.intervals.append((self.open_since, at))
            self.open_since = None

    def is_settled(self):
        """Asking longer would tell nothing else: it was ready once, or it has ended."""
        return self.ended or self.open_since is not None or bool(self.intervals)

    def says(self, started_us, ended_us):
        intervals = self.intervals + ([(self.open_since, float("inf"))] if self.open_since is not None else [])
        until = max(ended_us, started_us + SCALED_S * 1_000_000)
        for at in range(started_us, until + 1, POLL_US):
            if any(low <= at <= high for low, high in intervals):
                return f"ready after {(at - started_us) // 1_000_000} s, and nothing more"
        return f"VM not ready after {SECONDS}000ms ({(until - started_us) // 1_000_000} s here)"
