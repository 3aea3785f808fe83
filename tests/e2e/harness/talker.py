"""A VM that says as many reports as it is told to, keeps a journal of them on its disk, and powers off when the host has acknowledged all (tests/bench/native/talker)."""
import subprocess

from .daemon import BIN
from .image import cpio, part_of, read_cpio, variant
from .told import Comparison, Log, journal_rows


def publish_talker(daemon):
    """An image whose initrd has the program in the agent's place."""
    if (BIN.parent / "CMakeCache.txt").exists():           # else: binaries that were copied from a build, vigil-talker among them
        subprocess.run(["cmake", "--build", BIN.parent, "--target", "vigil-talker"], check=True, capture_output=True)
    members = read_cpio(part_of(daemon, "initrd").read_bytes())
    members["init"] = (members["init"][0], (BIN / "vigil-talker").read_bytes())
    initrd = daemon.base / "initrd-of-talker"
    initrd.write_bytes(cpio.archive(members, 0))
    variant(daemon, "talker", parts={"initrd": initrd})


class Talker:
    def __init__(self, daemon, name, reports, a_second, loud_of=0):
        """`loud_of`: in one second of so many it says more than its outbox holds, should the device be away then."""
        self.daemon = daemon
        self.vm = daemon.create(name, image="talker", kernel_args=f"talker.reports={reports} talker.a_second={a_second} talker.loud_of={loud_of}")
        daemon.wait_state(self.vm, "ready")

    def has_ended(self):
        return self.daemon.api.get(f"/v1/instances/{self.vm['id']}")["power"] == "stopped"

    def compare(self):
        """What its journal has with what the store has; and how many digests it kept from the console because there were too many. The run has ended, and the daemon as well."""
        lines = []
        with open(self.daemon.state / "instances" / self.vm["id"] / "disk.raw", "rb") as disk:
            for line in disk:
                if line.startswith(b"end "):
                    return Comparison(journal_rows(lines), Log.of(self.daemon.state)), int(line.split()[2])
                lines.append(line.decode())
        raise RuntimeError(f"the journal of {self.vm['id']} has no end: its last line is {lines[-1]!r}")
