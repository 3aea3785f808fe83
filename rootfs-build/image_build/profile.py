"""A profile folder: profile.json (what the guest is made of) and files/ (laid over its root).

Shape:  see FIELDS; unknown keys are errors. All faults of the file are told at once.
Units:  MiB.
"""
import dataclasses
import pathlib
import re

from . import inheritance, jsonc, service_files
from .errors import BuildError

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
MODULE = re.compile(r"[A-Za-z0-9_-]+")
ARGUMENT = re.compile(r"[^\0]{1,4096}")
PATTERN = re.compile(r"/[^\s,]*")
# An exact version: what a range would choose tomorrow is another image.
NPM = re.compile(r"(?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?")
TARGET = re.compile(r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[!-~]{0,1024})?")
USER = re.compile(r"[a-z][a-z0-9-]{0,31}")
HOME = re.compile(r"/home/[a-z][a-z0-9-]{0,31}")
SHELL = re.compile(r"(?:/[A-Za-z0-9_-]+)+")
INIT_MODES = ("pid1", "systemd")
SERVICES = "etc/vigil/services.d"
VARIANTS = ("essential", "minbase", "apt")


def text(pattern):
    return lambda value: isinstance(value, str) and pattern.fullmatch(value)


def texts(pattern):
    return lambda value: isinstance(value, list) and all(text(pattern)(v) for v in value)


def whole(low, high):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def one_of(*values):
    return lambda value: value in values


def kernel(value):
    if not isinstance(value, dict) or set(value) not in ({"package", "modules"}, {"package", "modules", "build"}, {"build"}):
        return False
    stock = "package" not in value or bool(text(PACKAGE)(value["package"])) and texts(MODULE)(value["modules"])
    return stock and ("build" not in value or bool(text(NAME)(value["build"])))


def programs(value):
    return isinstance(value, list) and all(isinstance(argv, list) and argv and texts(ARGUMENT)(argv) and argv[0].startswith("/") for argv in value)


def exceptions(value):
    return isinstance(value, dict) and all(isinstance(rule, str) and texts(ARGUMENT)(items) for rule, items in value.items())


def users(value):
    rights = {"name": text(USER), "uid": whole(1000, 59999), "home": text(HOME), "shell": text(SHELL), "groups": texts(USER)}
    if not isinstance(value, list) or not all(isinstance(user, dict) and {"name", "uid"} <= set(user) <= set(rights) for user in value):
        return False
    if not all(rights[key](said) for user in value for key, said in user.items()):
        return False
    return all(len({user[key] for user in value}) == len(value) for key in ("name", "uid"))


def targets(value):
    return texts(TARGET)(value) and len(value) <= 32


def npm_packages(value):
    return texts(NPM)(value) and len({inheritance.npm_name(spec) for spec in value}) == len(value)


# key -> (what is right, in words; default, None = must be there)
FIELDS = {
    "format": (one_of(1), "1", None),
    "name": (text(NAME), "lower-case letters, digits and dashes, at most 32", None),
    "extends": (text(NAME), "the name of another profile", ""),
    "description": (lambda v: isinstance(v, str), "a text", ""),
    "suite": (text(NAME), "the name of a Debian suite", None),
    "variant": (one_of(*VARIANTS), f"one of {', '.join(VARIANTS)}", "essential"),
    "packages": (texts(PACKAGE), "a list of Debian package names", None),
    "npm": (npm_packages, "a list of NAME@VERSION of npm packages, each once, each version exact", []),
    "users": (users, 'a list of {"name": NAME, "uid": 1000 to 59999}, each once, perhaps with "home": "/home/NAME", "shell" and "groups"', []),
    "exclude": (texts(PATTERN), "a list of path patterns as dpkg's path-exclude takes them", []),
    "keep": (texts(PATTERN), "a list of path patterns as dpkg's path-include takes them", []),
    "init": (one_of(*INIT_MODES), f"one of {', '.join(INIT_MODES)}", "pid1"),
    "min_memory_mib": (whole(64, 1 << 20), "a whole number from 64 up", None),
    "overlay_mib": (whole(64, 1 << 20), "a whole number from 64 up", 2048),
    "egress_targets": (targets, "a list of https://NAME[:PORT][/PATH] or http://..., at most 32", []),
    "programs": (programs, "a list of command lines that must succeed in the image, each a list of texts", []),
    "lint_allow": (exceptions, 'for each rule of the lint a list of items that are meant to be so: {"RULE": ["ITEM"]}', {}),
    "kernel": (kernel, '{"package": NAME, "modules": [NAME...]}, or {"build": NAME}, or all three', None),
}


@dataclasses.dataclass(frozen=True)
class Profile:
    directory: pathlib.Path
    values: dict
    services: list      # names, sorted; under systemd the units that the profile itself brings
    ancestors: tuple = ()   # folders of the profiles that it extends, the eldest first

    def __getattr__(self, key):
        try:
            return self.values[key]
        except KeyError:
            raise AttributeError(key) from None

    @property
    def layers(self):
        """The files/ to lay over the root, in this order."""
        return [folder / "files" for folder in (*self.ancestors, self.directory)]

    @property
    def service_directories(self):
        return [layer / SERVICES for layer in self.layers]

    @property
    def built_kernel(self):
        """The folder in rootfs-build/kernels, or "" for the suite's own kernel."""
        return self.values["kernel"].get("build", "")


def with_kernel(values, chosen):
    """`chosen`: "" the profile's own choice, `stock` the suite's kernel, else a kernel of ours."""
    stock = {key: value for key, value in values["kernel"].items() if key != "build"}
    if chosen == "stock" and not stock:
        raise BuildError("--kernel stock", "the profile names no package and modules for it", "name them in the profile's \"kernel\"")
    return {**values, "kernel": stock if chosen == "stock" else {**stock, "build": chosen} if chosen else values["kernel"]}


def load(profiles, name, kernel_choice=""):
    profiles = pathlib.Path(profiles)
    chain = inheritance.chain_of(name, lambda one, before: own_values(profiles, one, before))
    values = {}
    for _, own in chain:
        values = inheritance.joined(values, own)
    values = with_kernel({**{key: default for key, (_, _, default) in FIELDS.items() if default is not None}, **values}, kernel_choice)
    *ancestors, directory = [profiles / one for one, _ in chain]
    loaded = Profile(directory, values, [], tuple(ancestors))
    loaded.services.extend(services_of(loaded))
    return loaded


def services_of(profile):
    if profile.init != "systemd":
        return service_files.check_directories(profile.service_directories)
    for directory in profile.service_directories:
        if directory.exists():
            raise BuildError(str(directory), "nobody reads service files where systemd is the init", "write units, in files/etc/systemd/system")
    return sorted({unit for layer in profile.layers for unit in units_of(layer)})


def units_of(files):
    return [path.name.removesuffix(".service") for path in (files / "etc/systemd/system").glob("*.target.wants/*.service")]


def own_values(profiles, name, chain):
    """What one profile says itself; `chain`: the names that led here by `extends`."""
    path = profiles / name / "profile.json"
    if not NAME.fullmatch(name) or not path.is_file():
        there = sorted(p.parent.name for p in profiles.glob("*/profile.json"))
        cause = f"extends: there is no profile {name} ({' -> '.join([*chain, name])})" if chain else "there is no such profile"
        raise BuildError(chain[0] if chain else name, cause, f"profiles are: {', '.join(there)}")
    return check(path, read(path), name)


def read(path):
    try:
        return jsonc.parse(path.read_text())
    except (jsonc.JsoncError, UnicodeDecodeError) as error:
        raise BuildError(str(path), f"not JSON: {error}", "mend the file") from error


def check(path, values, name):
    if not isinstance(values, dict):
        raise BuildError(str(path), "not a JSON object", "mend the file")
    faults = [f'unknown key "{key}"' for key in values if key not in FIELDS]
    for key, (is_right, wanted, default) in FIELDS.items():
        if key not in values:
            # What a profile that extends another leaves out, its parent says.
            if default is None and ("extends" not in values or key in ("format", "name")):
                faults.append(f'the key "{key}" is missing ({wanted})')
        elif not is_right(values[key]):
            faults.append(f'"{key}" must be {wanted}')
    if values.get("name", name) != name:
        faults.append(f'"name" must be the folder\'s name, "{name}"')
    if faults:
        raise BuildError(str(path), "; ".join(faults), "mend these keys; rootfs-build/profiles/README.md tells them")
    return values
