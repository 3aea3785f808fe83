"""manifest.json: what an image is, with the hash of every file. The SHA-256 of its bytes is the image's digest, so a directory proves itself."""
import hashlib
import json
import pathlib

from . import vmm
from .step_cache import hash_of_file

FILES = {"kernel": "kernel", "config": "kernel.config", "initrd": "initrd", "root": "root.ext4", "overlay": "overlay.ext4"}


def file_facts(path, name):
    return {"file": name, "sha256": hash_of_file(path), "bytes": path.stat().st_size}


def keep_facts(part, directory):
    """Hashes a part when its step has made it, and keeps the answer beside it: the output of a step never changes."""
    name = FILES[part]
    (directory / f"{name}.facts.json").write_text(json.dumps(file_facts(directory / name, name)))


def facts_of(part, directory):
    return json.loads((directory / f"{FILES[part]}.facts.json").read_text())


def describe(profile, parts, kernel, programs, identity, packages, npm, created):
    return {
        "format": 1, "name": profile.name, "created_unix": created, "suite": profile.suite, "architecture": "amd64", "init": profile.init,
        "min_memory_mib": profile.min_memory_mib,
        "kernel": {**parts["kernel"], "version": kernel["version"], "package": kernel["package"], "package_version": kernel["package_version"],
                   "build": kernel["build"], "config_sha256": kernel["config_sha256"]},
        "pinned": vmm.pinned(kernel, parts["kernel"]["sha256"], parts["initrd"]["sha256"]),
        "config": parts["config"],
        "initrd": {**parts["initrd"], "modules": kernel["modules"]},
        "root": {**parts["root"], "filesystem": "ext4"},
        "overlay": parts["overlay"],
        **programs, "image_id": identity, "services": profile.services, "programs": profile.programs, "lint_allow": profile.lint_allow, "packages": packages,
        **({"egress_targets": profile.egress_targets} if profile.egress_targets else {}),
        **({"npm": [{key: row[key] for key in ("name", "version", "integrity")} for row in npm]} if npm else {}),
    }


def encode(manifest):
    return (json.dumps(manifest, indent=1, ensure_ascii=True) + "\n").encode()


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def same_but_for_date(one, other):
    return {**one, "created_unix": 0} == {**other, "created_unix": 0}


def faults_in(directory):
    """What is wrong with an image directory; every byte of it is read."""
    directory = pathlib.Path(directory)
    try:
        data = (directory / "manifest.json").read_bytes()
        manifest = json.loads(data)
        if not isinstance(manifest, dict):
            raise ValueError("not an object")
    except (OSError, ValueError) as error:
        yield f"manifest.json: {error}"
        return
    name = directory.resolve().name
    if digest_of(data) != name:
        yield f"manifest.json: its digest is {digest_of(data)}, the directory is named {name}"
    if manifest.get("format") != 1:
        yield f"manifest.json: format {manifest.get('format')!r} is not known here"
    for part, file_name in FILES.items():
        yield from part_faults(directory, part, manifest.get(part), file_name)
    yield from pinned_faults(manifest)


def pinned_faults(manifest):
    """The tuple that belongs together, against the parts that the image has."""
    pinned = manifest.get("pinned")
    if pinned is None:
        return      # of a builder that pinned nothing
    if not isinstance(pinned, dict):
        yield "manifest.json: pinned: not an object"
        return
    for part in ("kernel", "config", "initrd"):
        facts = manifest.get(part)
        if isinstance(facts, dict) and pinned.get(f"{part}_sha256") != facts.get("sha256"):
            yield f"manifest.json: pinned.{part}_sha256 is {pinned.get(f'{part}_sha256')}, but {part} is {facts.get('sha256')}: not the tuple that was tried"


def part_faults(directory, part, facts, file_name):
    if not isinstance(facts, dict) or not {"file", "sha256", "bytes"} <= set(facts):
        yield f"manifest.json: {part}: file, sha256 and bytes are missing"
        return
    if facts["file"] != file_name:
        yield f"manifest.json: {part}.file is {facts['file']!r}, not {file_name!r}"
        return
    try:
        found = file_facts(directory / file_name, file_name)
    except OSError as error:
        yield f"{file_name}: {error.strerror}"
        return
    for key in ("bytes", "sha256"):
        if found[key] != facts[key]:
            yield f"{file_name}: {key} is {found[key]}, the manifest says {facts[key]}"
