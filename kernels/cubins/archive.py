"""Archives of images, one for each architecture: read by kernels/src/device/embedded.rs.

Deflated (zlib), in it, integers little endian:
    "gradus-images-1\\0", u32 count, then per image: u32 length of the name, name, SHA-256 of the source, SHA-256 of the image,
    u64 length; then the images, end to end.
"""

import hashlib
import struct
import zlib

MAGIC = b"gradus-images-1\0"


def pack(images):
    """The archive's content, of (name, source hash, image) in order of names."""
    table, data = [MAGIC, struct.pack("<I", len(images))], []
    for name, source, image in sorted(images):
        table += [struct.pack("<I", len(name)), name.encode(), bytes.fromhex(source), hashlib.sha256(image).digest(), struct.pack("<Q", len(image))]
        data.append(image)
    return b"".join(table + data)


def write(path, content):
    """Deflates into a file."""
    path.write_bytes(zlib.compress(content, 9))


def read(path):
    """Content of a file, None if there is none or it is damaged. Compared instead of files: compressors differ in their bytes."""
    try:
        return zlib.decompress(path.read_bytes())
    except (OSError, zlib.error):
        return None


def names(content):
    """Images by name, of a sound archive."""
    if content is None or not content.startswith(MAGIC):
        return {}
    at, rows, found = len(MAGIC) + 4, [], {}
    for _ in range(struct.unpack_from("<I", content, len(MAGIC))[0]):
        (length,) = struct.unpack_from("<I", content, at)
        name = content[at + 4 : at + 4 + length].decode()
        at += 4 + length + 64
        rows.append((name, struct.unpack_from("<Q", content, at)[0]))
        at += 8
    for name, length in rows:
        found[name] = content[at : at + length]
        at += length
    return found
