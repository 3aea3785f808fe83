"""A certificate authority for one test run: made when it begins, gone with its directory. Only what is given its certificate trusts it."""
import dataclasses
import pathlib
import ssl
import subprocess

LEAF = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName="


@dataclasses.dataclass(frozen=True)
class Authority:
    certificate: pathlib.Path
    key: pathlib.Path

    def pem(self):
        return self.certificate.read_text()

    def server_context(self, host):
        """For a server that is `host`: its key lies beside the authority's."""
        folder, config = self.certificate.parent, f"{LEAF}DNS:{host}\n"
        extensions, request, key, leaf = (folder / f"{host}.{end}" for end in ("cnf", "csr", "key", "pem"))
        extensions.write_text(config)
        openssl("req", "-new", *NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={host}")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-days", "2", "-extfile", extensions, "-out", leaf)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf, key)
        return context


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_authority(folder):
    folder = pathlib.Path(folder)
    certificate, key = folder / "authority.pem", folder / "authority.key"
    openssl("req", "-x509", *NEW_KEY, "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=An authority of one test run",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    key.chmod(0o600)
    return Authority(certificate, key)


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"openssl {words[0]}: {done.stderr.strip()}")
