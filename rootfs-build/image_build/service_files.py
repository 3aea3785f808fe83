"""The profile's service files, checked before anything is built: the same rules as the agent's own parser (shared/service_spec),
as far as a wrong file can be told without running it. All faults of all files are told at once.
"""
import contextlib
import os
import pathlib
import re
import shutil
import tempfile

from . import jsonc
from .errors import BuildError

SERVICES = "etc/vigil/services.d"
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


def is_text(value):
    return isinstance(value, str)


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def is_argv(value):
    return isinstance(value, list) and bool(value) and all(map(is_text, value)) and value[0].startswith("/")


def is_names(value):
    return isinstance(value, list) and all(is_text(v) and NAME.fullmatch(v) for v in value)


def is_env(value):
    return isinstance(value, dict) and all(map(is_text, value.values()))


def is_path(value):
    return is_text(value) and value.startswith("/")


def is_port(value):
    return is_whole(value) and 1 <= value <= 65535


def is_bool(value):
    return isinstance(value, bool)


def is_bytes(value):
    return is_whole(value) or (is_text(value) and re.fullmatch(r"[0-9]+[KMG]?", value) is not None)


def is_signal(value):
    return is_text(value) and re.fullmatch(r"SIG[A-Z0-9]+", value) is not None


def is_display(value):
    return is_text(value) and re.fullmatch(r"[0-9A-Fa-f.:]*:[0-9]{1,5}", value) is not None


def is_size(value):
    return is_text(value) and re.fullmatch(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}", value) is not None


def is_capabilities(value):
    return isinstance(value, list) and all(is_text(v) and re.fullmatch(r"CAP_[A-Z_]+", v) for v in value)


PROBES = {
    "notify-fd": {"fd": is_whole},
    "sd-notify": {},
    "tcp": {"port": is_port, "address": is_text},
    "unix": {"path": is_path},
    "file": {"path": is_path},
    "http": {"port": is_port, "address": is_text, "path": is_text, "status": is_whole, "body": is_text},
    "exec": {"argv": is_argv, "interval_ms": is_whole},
    "websocket": {"port": is_port, "address": is_text, "path": is_text, "subprotocol": is_text, "first_bytes": is_text},
    "rfb": {"port": is_port, "address": is_text},
    "x11": {"display": is_display, "size": is_size, "window_manager": is_bool, "window": is_bool},
    "stable-for": {"seconds": is_number},
}
PROBE_MUST = {"tcp": ["port"], "unix": ["path"], "file": ["path"], "http": ["port"], "exec": ["argv"], "websocket": ["port"], "rfb": ["port"], "x11": ["display"],
              "stable-for": ["seconds"]}


def probe_faults(value, key):
    if not isinstance(value, dict) or len(value) != 1:
        return [f"{key}: a probe is an object with one key, one of {', '.join(PROBES)}"]
    (kind, settings), = value.items()
    if kind not in PROBES:
        return [f"{key}.{kind}: unknown probe"]
    faults = object_faults(settings, f"{key}.{kind}", PROBES[kind], PROBE_MUST.get(kind, ()))
    if kind == "x11" and not faults and settings.get("window") and (settings.keys() & {"size", "window_manager"}):
        faults.append(f"{key}.x11.window: a probe of its own: without size and window_manager")
    return faults


def ready_faults(value, key):
    probes = value if isinstance(value, list) else [value]
    return [fault for at, probe in enumerate(probes) for fault in probe_faults(probe, f"{key}[{at}]" if isinstance(value, list) else key)]


def restart_faults(value, key):
    policies = ("always", "on-failure", "never")
    if is_text(value):
        return [] if value in policies else [f"{key}: one of {', '.join(policies)}"]
    loop = {"exits": is_whole, "window_s": is_number}
    return object_faults(value, key, {"policy": lambda v: v in policies, "backoff_ms": is_whole, "backoff_max_ms": is_whole,
                                      "crash_loop": lambda v: not object_faults(v, key, loop)})


def health_faults(value, key):
    return object_faults(value, key, {"probe": lambda v: not probe_faults(v, key), "interval_s": is_number, "failures": is_whole, "restart": is_bool}, ["probe"])


def object_of(keys):
    return lambda value, key: object_faults(value, key, keys)


# A predicate, or a function (value, key path) -> faults.
KEYS = {
    "name": is_text, "exec": is_argv, "user": is_text, "env": is_env, "cwd": is_path, "essential": is_bool,
    "after": is_names, "requires": is_names, "wants": is_names, "secrets": is_names, "ready_timeout_s": is_number,
    "capabilities": is_capabilities, "no_new_privs": is_bool, "restart_with": is_names,
}
NESTED = {
    "ready": ready_faults, "restart": restart_faults, "health": health_faults,
    "stop": object_of({"signal": is_signal, "grace_s": is_number}),
    "reload": object_of({"signal": is_signal}),
    "limits": object_of({"memory": is_bytes, "pids": is_whole, "nofile": is_whole, "cpu_percent": is_whole}),
}


def object_faults(value, key, allowed, must=()):
    if not isinstance(value, dict):
        return [f"{key}: must be an object"]
    faults = [f"{key}.{name}: unknown key" for name in value if name not in allowed]
    faults += [f"{key}.{name}: missing" for name in must if name not in value]
    return faults + [f"{key}.{name}: wrong type or value" for name, right in allowed.items() if name in value and not right(value[name])]


def spec_faults(spec, name):
    if not isinstance(spec, dict):
        return ["must be an object"]
    faults = [f"{key}: unknown key" for key in spec if key not in KEYS and key not in NESTED]
    faults += [f"{key}: missing" for key in ("name", "exec") if key not in spec]
    faults += [f"{key}: wrong type or value" for key, right in KEYS.items() if key in spec and not right(spec[key])]
    faults += [fault for key, check in NESTED.items() if key in spec for fault in check(spec[key], key)]
    if is_text(spec.get("name")) and spec["name"] != name:
        faults.append(f'name: must be the file\'s name, "{name}"')
    return faults


def dependency_faults(specs):
    """(file, fault) for each missing dependency and one for each cycle."""
    edges = {}
    for name, spec in specs.items():
        needed = [d for key in ("after", "requires") for d in spec.get(key, [])]
        yield from ((name, f"after/requires: there is no service {d}") for d in needed if d not in specs)
        edges[name] = [d for d in needed + spec.get("wants", []) if d in specs]
    done = set()
    for name in sorted(edges):
        cycle = find_cycle(name, edges, [], done)
        if cycle:
            yield cycle[0], f"after/requires: a cycle: {' -> '.join(cycle)}"
            return


def find_cycle(name, edges, path, done):
    if name in path:
        return path[path.index(name):] + [name]
    if name in done:
        return None
    for other in edges[name]:
        cycle = find_cycle(other, edges, path + [name], done)
        if cycle:
            return cycle
    done.add(name)
    return None


def check_directory(directory):
    return check_directories([directory])


def files_in(directories):
    """{service: path}; a file of a later directory replaces its namesake."""
    return {path.stem: path for directory in directories if directory.is_dir() for path in sorted(directory.glob("*.json"))}


def check_directories(directories):
    """The names of the services in all of them, sorted; BuildError with every fault of every file."""
    specs, faults = {}, []
    for name, path in sorted(files_in(directories).items()):
        try:
            spec = jsonc.parse(path.read_text())
        except (jsonc.JsoncError, UnicodeDecodeError) as error:
            faults.append(f"{path.name}: not JSON: {error}")
            continue
        found = spec_faults(spec, name)
        faults += [f"{path.name}: {fault}" for fault in found]
        if not found:
            specs[name] = spec
    if not faults:
        faults += [f"{name}.json: {fault}" for name, fault in dependency_faults(specs)]
    if faults:
        raise BuildError(str(directories[-1]), "; ".join(faults), "mend these service files; shared/service_spec/service_spec.hpp tells their keys")
    return sorted(specs)


@contextlib.contextmanager
def gathered(directories):
    """One directory with the service files of all, as they will be in the image."""
    with tempfile.TemporaryDirectory(prefix="vigil-services-") as folder:
        for path in files_in(directories).values():
            shutil.copyfile(path, pathlib.Path(folder) / path.name)
        yield pathlib.Path(folder)


def programs(tree):
    """Each service's exec[0] in a finished root (a GuestTree), to be looked for there: [(service, path)]; "" of a file that does not parse."""
    for name in tree.names(SERVICES):
        if name.endswith(".json"):
            try:
                yield name.removesuffix(".json"), str(jsonc.parse(tree.read_text(f"{SERVICES}/{name}") or "")["exec"][0])
            except (jsonc.JsoncError, LookupError, TypeError, RecursionError):
                yield name.removesuffix(".json"), ""


def missing_programs(tree):
    """Faults of those that the root does not hold or that cannot be executed there."""
    for name, path in programs(tree):
        found = inside(tree.root, path) if path else None
        if not path:
            yield f"{name}.json: is no service file"
        elif found is None or not os.path.isfile(found):
            yield f"{name}.json: exec: {path} is not in the image"
        elif not os.access(found, os.X_OK):
            yield f"{name}.json: exec: {path} is not executable"


def inside(root, path, hops=16):
    """`path` as a process chrooted to `root` would find it, or None: links are resolved against root, never against the host."""
    parts, found = [p for p in str(path).split("/") if p], []
    while parts:
        part = parts.pop(0)
        if part == "..":
            found = found[:-1]
            continue
        here = os.path.join(root, *found, part)
        if os.path.islink(here):
            hops -= 1
            if hops < 0:
                return None
            target = os.readlink(here)
            if target.startswith("/"):
                found = []
            parts = [p for p in target.split("/") if p and p != "."] + parts
        elif part != ".":
            found.append(part)
    result = os.path.join(root, *found)
    return result if os.path.exists(result) else None
