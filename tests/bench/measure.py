"""What every benchmark shares: samples, medians, the table, and one JSON line a figure."""
import json
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))


def percentile(samples, percent):
    """Nearest rank."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def has_kvm():
    """As the daemon decides it: a device without the processor's help is none."""
    flags = next((line.split() for line in open("/proc/cpuinfo") if line.startswith("flags")), [])
    return os.access("/dev/kvm", os.W_OK) and bool({"vmx", "svm"} & set(flags))


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return os.environ.get("VIGIL_MACHINE") or f"{os.cpu_count()} x {model}, {'kvm' if has_kvm() else 'tcg'}"


def commit():
    return os.environ.get("VIGIL_COMMIT") or subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=pathlib.Path(__file__).parent).stdout.strip()


class Bench:
    def __init__(self, name):
        self.name, self.rows = name, []

    def figure(self, metric, unit, samples, value=None, peer=None, goal=None):
        """One figure: the median of its samples unless a value (a percentile, say) is given."""
        value = statistics.median(samples) if value is None else value
        self.rows.append((metric, peer or "vigil", value, unit, min(samples), max(samples), len(samples), goal))
        record = {"bench": self.name, "metric": metric, "value": value, "unit": unit, "samples": samples, "peer": peer,
                  "machine": machine(), "commit": commit()}
        path = os.environ.get("VIGIL_BENCH_RESULTS")
        if path:
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a") as file:
                file.write(json.dumps(record) + "\n")

    def table(self):
        print(f"\n{self.name}  ({machine()})")
        print(f"  {'figure':44} {'of':12} {'value':>10} {'unit':5} {'min':>9} {'max':>9} {'n':>4}  goal")
        for metric, who, value, unit, low, high, n, goal in self.rows:
            print(f"  {metric:44} {who:12} {value:10.2f} {unit:5} {low:9.2f} {high:9.2f} {n:4}  {goal or ''}")
