"""One row's VM: its random names, its create request, and what is done to it while it runs."""
import base64
import os
import random
import re
import signal

from .row import Script

TOKEN = re.compile(r"<(?:(path|port|word):)?([a-z0-9]+)>")
SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
IMAGE_SERVICES = ("web", "echo", "ticker")
CHUNK = 4000


class Scene:
    def __init__(self, lab, row, seed):
        self.lab, self.row = lab, row
        self.random = random.Random(seed)
        self.drawn, self.taken = {}, set(IMAGE_SERVICES)
        self.nonce = self.word("a") + self.word("b") + str(self.random.randrange(100, 999))
        self.vm = self.started = None
        self.opened = []   # what close() takes back: servers, limits
        self.host_instant_us = None

    # ---- names ----

    def word(self, key):
        return self.draw(("word", key), lambda: "".join(self.random.choices(SYLLABLES, k=3)))

    def draw(self, key, make):
        while key not in self.drawn:
            value = make()
            if value not in self.taken:
                self.taken.add(value)
                self.drawn[key] = value
        return self.drawn[key]

    def name(self, key):
        return self.word("service " + key)

    def path(self, key):
        return self.draw(("path", key), lambda: f"/opt/{self.word('folder')}/{''.join(self.random.choices(SYLLABLES, k=3))}")

    def port(self, key):
        return self.draw(("port", key), lambda: self.random.randrange(20000, 30000))

    def fill(self, text, escape=str):
        def drawn(match):
            kind, key = match.groups()
            return escape(str({"path": self.path, "port": self.port, "word": self.word, None: self.name}[kind](key)))
        return TOKEN.sub(drawn, text)

    def fill_all(self, value):
        """Tokens within anything that JSON can hold; a text that is one port token becomes a number."""
        if isinstance(value, Script):
            return ["/bin/sh", "-c", self.stamp() + self.fill(value.text).replace("@stamp", self.stamp())]
        if isinstance(value, str):
            filled = self.fill(value)
            return int(filled) if re.fullmatch(r"<port:\w+>", value) else filled
        if isinstance(value, dict):
            return {self.fill(key): self.fill_all(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.fill_all(each) for each in value]
        return value

    def stamp(self):
        """Shell: the guest's CLOCK_BOOTTIME, in hundredths of a second, to the kernel log."""
        return f'read up idle </proc/uptime; echo "{self.nonce} $up" >/dev/kmsg; '

    # ---- the VM ----

    def request(self):
        row = self.row
        services = self.fill_all(row.services)
        script, chunks = self.setup_script()
        if script:
            setter = self.name("set up")
            for name, spec in services.items():
                if name not in IMAGE_SERVICES and isinstance(spec, dict):
                    spec.setdefault("after", []).append(setter)
            script = "exec 2>/dev/kmsg; set -e; " + script + self.stamp() + "echo >&3; exec sleep 100000"
            services[setter] = {"exec": ["/bin/sh", "-c", script, "sh", *chunks], "ready": {"notify-fd": {}}, "essential": False, "restart": "never"}
        return {"image": row.image(self) if row.image else "minimal", "services": services, **self.fill_all(row.vm)}

    def setup_script(self):
        """Shell that makes the row's files, and its arguments: the contents in base64, in pieces that a service file's limits allow."""
        lines, arguments = [], []
        for path, (content, mode) in self.row.files.items():
            path, data = self.fill(path), content(self) if callable(content) else content
            if isinstance(data, str):
                data = self.fill(data).encode()
            text = base64.b64encode(data).decode() or "\n"
            chunks = [text[at:at + CHUNK] for at in range(0, len(text), CHUNK)]
            all_chunks = " ".join(f'"${{{number}}}"' for number in range(1, len(chunks) + 1))
            lines.append(f"mkdir -p {os.path.dirname(path)}; printf %s {all_chunks} | base64 -d >{path}; shift {len(chunks)}; chmod {mode:o} {path}; ")
            arguments += chunks
        return "".join(lines) + (self.fill(self.row.prepare) + "; " if self.row.prepare else ""), arguments

    def create(self, request):
        name, daemon = self.lab.vm_name(self.random), self.lab.daemon
        if self.row.at_created is None:
            self.vm = daemon.create(name, **request)
            return self.vm
        self.vm = daemon.api.post("/v1/instances", {"name": name, **request})
        self.row.at_created(self)
        self.now()
        daemon.api.post(f"/v1/instances/{self.vm['id']}/start")
        return self.vm

    def now(self):
        """The instant of a fault that is injected from the host."""
        self.host_instant_us = self.lab.unix_us()

    def kill(self, which, number):
        """Sends a signal to a process of this run: vmm, shim or device."""
        self.now()
        os.kill(self.pid(which), number)

    def pid(self, which):
        return self.started["body"][which + "_pid"]

    def release(self):
        """What was stopped or limited goes on, so that the VM can be removed; what was opened for the row is closed."""
        for each in self.opened:
            each.close()
        if self.started is None:
            return
        for which in ("vmm", "device", "shim"):
            try:
                os.kill(self.pid(which), signal.SIGCONT)
            except (ProcessLookupError, TypeError, KeyError):
                pass
