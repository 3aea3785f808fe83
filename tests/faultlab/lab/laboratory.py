"""Runs rows: one daemon, some VMs at a time, each row in a VM of its own."""
import concurrent.futures
import threading
import time
import traceback

from harness.api import Problem
from harness.daemon import Daemon

from .native import KernelModules
from .scene import Scene
from .watch import QuietWatch, Result, Watch

SCALES = {"kvm": 1, "tcg": 10}


class Laboratory:
    def __init__(self, seed, patience=1):
        self.seed, self.patience = seed, patience
        self.daemon = Daemon().use_images().start()
        self.modules = KernelModules(self.daemon)
        self.accelerator = self.daemon.api.get("/v1/daemon")["accelerator"]["name"]
        self.scale = SCALES[self.accelerator]
        self.lock, self.vm_names = threading.Lock(), set()

    @staticmethod
    def unix_us():
        return time.time_ns() // 1000

    def vm_name(self, random):
        with self.lock:
            while True:
                name = f"{random.choice('bdgklmnprst')}{random.randrange(10_000, 99_999)}"
                if name not in self.vm_names:
                    self.vm_names.add(name)
                    return name

    def run_row(self, row, round_number=0):
        if row.impossible:
            return Result(row, verdict="not yet", named="not run", note=row.impossible)
        began = time.monotonic()
        scene = Scene(self, row, f"{self.seed} {row.name} {round_number}")
        watch = (Watch if row.code else QuietWatch)(scene)
        result = watch.result
        try:
            request = scene.request()
            scene.now()
            scene.create(request)
            watch.follow()
            result = watch.judge()
            if row.code:
                watch.ask_on()
            result.reference = watch.reference.says(scene.vm["created_unix_us"], self.unix_us())
        except Problem as problem:
            result.verdict, result.note = "error", f"{problem}"
        except Exception:   # one broken row must not take the others with it
            result.verdict, result.note = "error", traceback.format_exc(limit=4)
        finally:
            self.remove(scene)
        result.names = {" ".join(key): value for key, value in scene.drawn.items()}
        result.total_s = time.monotonic() - began
        return result

    def remove(self, scene):
        scene.release()
        if scene.vm is None:
            return
        self.daemon.vigil("rm", "--force", scene.vm["id"])

    def run(self, rows, jobs, tell, round_number=0):
        """All rows, `jobs` at a time, those that want to be alone last; results in the order of the rows."""
        results = {}
        together, alone = [r for r in rows if not r.alone], [r for r in rows if r.alone]
        for group, width in ((together, jobs), (alone, 1)):
            with concurrent.futures.ThreadPoolExecutor(width) as pool:
                futures = {pool.submit(self.run_row, row, round_number): row for row in group}
                try:
                    for future in concurrent.futures.as_completed(futures):
                        results[futures[future].name] = result = future.result()
                        tell(result)
                except BaseException:   # told to end: the rows under way finish, so that their VMs are removed; no other begins
                    pool.shutdown(cancel_futures=True)
                    raise
        return [results[row.name] for row in rows]

    def close(self):
        self.daemon.close()


__all__ = ["Laboratory", "Result"]
