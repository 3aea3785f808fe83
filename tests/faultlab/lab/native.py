"""Compiles what the rows need as machine code: faulting programs, a program whose library is missing, a kernel module for the image's own kernel."""
import pathlib
import re
import subprocess
import tempfile
import threading

from harness.image import part_of, read_cpio

SOURCES = pathlib.Path(__file__).resolve().parents[1] / "native"
SMALL = ["-nostdlib", "-Wl,-z,noseparate-code", "-Wl,--build-id"]
ARM_ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (183).to_bytes(2, "little") + bytes(44)


def compiled(arguments, name="out"):
    with tempfile.TemporaryDirectory(prefix="vg-cc-") as folder:
        out = pathlib.Path(folder) / name
        done = subprocess.run(["gcc", *arguments, "-o", out], capture_output=True, text=True, cwd=folder)
        if done.returncode != 0:
            raise RuntimeError(f"gcc {' '.join(map(str, arguments))}:\n{done.stderr}")
        return out.read_bytes()


def fault(number):
    """File content for a row: a static program that dies of this signal, within a function whose name is drawn."""
    def make(scene):
        return compiled(["-Os", "-fPIE", "-static-pie", "-fno-stack-protector", "-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables", "-fcf-protection=none",
                         *SMALL, f"-DFAULT={number}", f"-DFUNCTION={scene.word('function')}", f'-DSCRATCH="/run/{scene.word("scratch")}"',
                         SOURCES / "faults.c"])
    return make


def exits(code):
    """A static program that ends at once."""
    def make(scene):
        return from_assembly(f".globl _start\n_start: movl $60, %eax\n movl ${code}, %edi\n syscall\n")
    return make


def waits_for_ever(scene):
    return from_assembly(".globl _start\n_start: movl $34, %eax\n syscall\n jmp _start\n")


def from_assembly(text):
    with tempfile.TemporaryDirectory(prefix="vg-as-") as folder:
        source = pathlib.Path(folder) / "program.S"
        source.write_text(text)
        return compiled(["-static", *SMALL, source])


def without_its_library(scene):
    """A dynamic program that is linked against a library which the VM does not have."""
    with tempfile.TemporaryDirectory(prefix="vg-so-") as folder:
        folder, library = pathlib.Path(folder), f"lib{scene.word('library')}.so.1"
        (folder / "library.c").write_text("int there(void) { return 1; }\n")
        (folder / "program.c").write_text("int there(void);\nvoid _start(void) { there(); for (;;) {} }\n")
        subprocess.run(["gcc", "-shared", "-fPIC", f"-Wl,-soname,{library}", folder / "library.c", "-o", folder / library], check=True)
        return compiled(["-Os", "-nostartfiles", "-Wl,-z,noseparate-code", "-s", folder / "program.c", folder / library])


class KernelModules:
    """Modules for the kernel of the image, made with the facts of one that it has."""

    def __init__(self, daemon):
        self.daemon, self.lock, self.facts = daemon, threading.Lock(), None

    def learn(self):
        with self.lock:
            if self.facts is None:
                members = read_cpio(part_of(self.daemon, "initrd").read_bytes())
                sample = next(data for path, (_, data) in members.items() if path.endswith("virtio_blk.ko"))
                self.facts = self.facts_of(sample)
            return self.facts

    @staticmethod
    def facts_of(sample):
        with tempfile.TemporaryDirectory(prefix="vg-ko-") as folder:
            path = pathlib.Path(folder) / "sample.ko"
            path.write_bytes(sample)
            tell = subprocess.run(["readelf", "-SrW", path], capture_output=True, text=True, check=True).stdout
        size = re.search(r" \.gnu\.linkonce\.this_module +PROGBITS +\w+ +\w+ +(\w+)", tell)[1]
        relocations = tell[tell.index("'.rela.gnu.linkonce.this_module'"):]
        init = re.search(r"^(\w+) +\w+ +R_X86_64_64 +\w+ +init_module \+ 0$", relocations, re.M)[1]
        vermagic = re.search(rb"vermagic=[^\0]+", sample)[0].decode()
        return {"MODULE_BYTES": int(size, 16), "INIT_AT": int(init, 16), "VERMAGIC": f'"{vermagic}"'}

    def make(self, number):
        def content(scene):
            defines = {**self.learn(), "FAULT": number, "MODULE": f'"{scene.word("module")}"'}
            return compiled(["-c", *[f"-D{key}={value}" for key, value in defines.items()], SOURCES / "module.S"], "module.ko")
        return content


def kernel_module(number):
    return lambda scene: scene.lab.modules.make(number)(scene)
