"""An initramfs with another agent than its manifest says reports things that the host does not expect."""
import hashlib

from ...elf import Elf, ElfError, build_id

PREVENTS = "an image whose agent is not the one it says"


def faults(subject):
    told = subject.manifest.get("agent")
    if not isinstance(told, dict):
        return
    init = subject.initrd.get("init")
    if init is None:
        yield "initrd", "holds no /init"
    else:
        yield from (("initrd", fault) for fault in another(init, told, subject.host_agent))
    image_id = subject.initrd.get("etc/vigil/image-id", b"").decode(errors="replace").strip()
    in_root = subject.tree.text("/etc/vigil/image-id").strip()
    if image_id != in_root or image_id != subject.manifest.get("image_id"):
        yield "initrd", f"belongs to the root {image_id or '(none)'}, the root says {in_root or '(none)'}, the manifest {subject.manifest.get('image_id')}"


def another(init, told, host):
    found = hashlib.sha256(init).hexdigest()
    if found != told.get("sha256"):
        yield f"its /init hashes to {found[:16]}..., the manifest says {str(told.get('sha256'))[:16]}... (version {told.get('version')})"
        return
    own = build_id_of(init)
    if own and own != told.get("build_id"):
        yield f"its /init is the build {own}, the manifest says {told.get('build_id')}"
    if host and host["sha256"] == found and host["version"] != told.get("version"):
        yield f"its /init is version {host['version']}, the manifest says {told.get('version')}"


def build_id_of(program):
    try:
        return build_id(Elf(program))
    except ElfError:
        return ""


def notes(subject):
    """Another agent than this host's is no fault: a VM tells its host what it speaks. But whoever looks for the reason of something wants to know."""
    told, host = subject.manifest.get("agent"), subject.host_agent
    if isinstance(told, dict) and host and told.get("sha256") != host["sha256"]:
        yield "initrd", f"the image's agent is {said(told)}, this host's is {said(host)}; build the image again for this host's (the root is kept)"


def said(agent):
    return f"{agent.get('version')} (build {str(agent.get('build_id'))[:12]})"
