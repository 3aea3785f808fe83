"""A VM with the least memory that its image promises dies of it, under load, on somebody's desk."""
PREVENTS = "a VM that runs out of the memory which its image says is enough"


def faults(subject):
    tried = subject.manifest.get("boot_test")
    if not isinstance(tried, dict) or not isinstance(tried.get("memory_peak_mib"), (int, float)):
        return
    declared, peak = subject.manifest.get("min_memory_mib", 0), tried["memory_peak_mib"]
    if peak > declared:
        yield "min_memory_mib", f"{declared} MiB are declared, the boot test used {peak:.0f} MiB"
