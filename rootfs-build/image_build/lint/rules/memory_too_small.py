"""A VM with the least memory that its image promises dies of it, under load, on somebody's desk."""
PREVENTS = "a VM that runs out of the memory which its image says is enough"
# Of the declared memory, what nothing of the image itself may need at the boot: the room for what the VM is there for. Without it this rule would be empty:
# the boot test has no more than the declared memory to use.
HEADROOM = 1 / 8


def faults(subject):
    tried = subject.manifest.get("boot_test")
    if tried is None:
        return      # it was never up here
    peak = tried.get("memory_peak_mib") if isinstance(tried, dict) else None
    if isinstance(peak, bool) or not isinstance(peak, (int, float)):
        yield "min_memory_mib", "the boot test measured no peak"
        return
    declared = subject.manifest.get("min_memory_mib", 0)
    if peak > declared * (1 - HEADROOM):
        yield "min_memory_mib", f"{declared} MiB are declared, the boot test used {peak:.1f} MiB: less than {HEADROOM:.1%} is left for work"
