"""Writes metadata and vectors out of `bittensor`'s source distributions.

    pip download --no-binary bittensor --no-deps bittensor==11.3.0   # needs hatchling
    python3 extract.py bittensor-11.3.0.tar.gz subtensor-461.scale golden-461.json
    python3 extract.py bittensor-11.1.0.tar.gz subtensor-439.scale
"""

import json
import sys
import tarfile


def opaque(hexadecimal: str) -> bytes:
    """Strips what the runtime call puts around metadata: an `Option`'s byte and a compact length."""
    data = bytes.fromhex(hexadecimal.removeprefix("0x"))
    start = data.index(b"meta")
    assert start <= 6, "the metadata does not begin where it should"
    return data[start:]


def main() -> None:
    archive, metadata, *vectors = sys.argv[1:]
    with tarfile.open(archive) as tar:
        member = next(m for m in tar if m.name.endswith("tests/fixtures/golden.json"))
        golden = json.load(tar.extractfile(member))
    with open(metadata, "wb") as file:
        file.write(opaque(golden.pop("metadata")["v15_hex"]))
    for path in vectors:
        with open(path, "w") as file:
            json.dump(golden, file, indent=1)


main()
