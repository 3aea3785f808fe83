"""An initramfs with another agent than its manifest says reports things that the host does not expect."""
import hashlib

PREVENTS = "an image whose agent is not the one it says"


def faults(subject):
    told = subject.manifest.get("agent")
    if not isinstance(told, dict):
        return
    init = subject.initrd.get("init")
    if init is None:
        yield "initrd", "holds no /init"
    elif (found := hashlib.sha256(init).hexdigest()) != told.get("sha256"):
        yield "initrd", f"its /init hashes to {found[:16]}..., the manifest says {str(told.get('sha256'))[:16]}... (version {told.get('version')})"
    image_id = subject.initrd.get("etc/vigil/image-id", b"").decode(errors="replace").strip()
    in_root = subject.tree.text("/etc/vigil/image-id").strip()
    if image_id != in_root or image_id != subject.manifest.get("image_id"):
        yield "initrd", f"belongs to the root {image_id or '(none)'}, the root says {in_root or '(none)'}, the manifest {subject.manifest.get('image_id')}"
