"""Writes openssl.bin: what Python's ssl sends first. The file here: Python 3.11.7, OpenSSL 3.0.19."""
import pathlib
import ssl
import sys

context = ssl.create_default_context()
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
client = context.wrap_bio(incoming, outgoing, server_hostname="files.example.org")
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    pass
pathlib.Path(__file__).with_name("openssl.bin").write_bytes(outgoing.read())
print(sys.version, ssl.OPENSSL_VERSION)
