"""A CA of the tests' own and what it signs, made by the openssl command when first asked for."""
import os
import shutil
import ssl
import subprocess
import tempfile
import threading

CONFIG = """[ca]
default_ca = d
[d]
dir = %(dir)s
database = $dir/index
serial = $dir/serial
new_certs_dir = $dir
default_md = sha256
policy = p
unique_subject = no
copy_extensions = copy
[p]
commonName = supplied
"""


def openssl(*argv, folder):
    done = subprocess.run(["openssl", *argv], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("openssl %s: %s" % (" ".join(argv), done.stderr))


class Authority:
    """ca: the path of its certificate; certificate() gives paths of a certificate and its key."""

    def __init__(self, name="Test CA", folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="rg-pki-")
        self.ca = os.path.join(self.folder, "ca.pem")
        self.made, self.lock = 0, threading.Lock()  # of its serial and index: cases run side by side
        with open(os.path.join(self.folder, "ca.cnf"), "w") as f:
            f.write(CONFIG % {"dir": self.folder})
        open(os.path.join(self.folder, "index"), "w").close()
        with open(os.path.join(self.folder, "serial"), "w") as f:
            f.write("1000\n")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", "/CN=%s" % name, "-keyout", "ca.key", "-out", "ca.pem", folder=self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def certificate(self, san, cn="test", start="20200101000000Z", end="20990101000000Z", self_signed=False):
        """san: "DNS:a.example,IP:127.0.0.1".  Returns the paths of certificate and key."""
        with self.lock:
            return self.sign(san, cn, start, end, self_signed)

    def sign(self, san, cn, start, end, self_signed):
        self.made += 1
        pem, key, csr = ("c%d.pem" % self.made, "c%d.key" % self.made, "c%d.csr" % self.made)
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=%s" % cn,
               "-addext", "subjectAltName=%s" % san, "-keyout", key]
        if self_signed:
            openssl("req", "-x509", "-days", "30", *new, "-out", pem, folder=self.folder)
        else:
            openssl("req", "-new", *new, "-out", csr, folder=self.folder)
            openssl("ca", "-batch", "-config", "ca.cnf", "-notext", "-startdate", start, "-enddate", end, "-cert",
                    "ca.pem", "-keyfile", "ca.key", "-in", csr, "-out", pem, folder=self.folder)
        return self.path(pem), self.path(key)

    def server(self, pair, clients=None):
        """A server's ssl.SSLContext; clients: the CA whose certificates they must show."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(*pair)
        ctx.num_tickets = 0
        ctx.names = []
        ctx.sni_callback = lambda sock, name, context: ctx.names.append(name)
        if clients:
            ctx.verify_mode = ssl.CERT_REQUIRED
            ctx.load_verify_locations(clients)
        return ctx

    def client(self, pair=None):
        ctx = ssl.create_default_context(cafile=self.ca)
        if pair:
            ctx.load_cert_chain(*pair)
        return ctx

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
