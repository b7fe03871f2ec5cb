"""Ask about an image: a file that is named on the command line, or a small red square.

For real use: set OPENROUTER_API_KEY.
Without a key: python examples/with_simulator.py examples/images.py
"""

import struct
import sys
import zlib

from llmkit import ImagePart, attach, create_language


def red_square(side: int = 16) -> bytes:
    """A PNG image."""

    def block(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress((b"\x00" + b"\xff\x00\x00" * side) * side)
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + block(b"IHDR", head) + block(b"IDAT", pixels) + block(b"IEND", b"")


# A path, an address ("https://...") or bytes. The type is read from the content.
image = attach(sys.argv[1] if len(sys.argv) > 1 else red_square())
if not isinstance(image, ImagePart):
    raise SystemExit(f"{sys.argv[1]} is not an image")

question = {"role": "user", "content": ["What is in this picture?", image]}
with create_language("openrouter", "openai/gpt-4o-mini") as model:
    response = model.chat_complete([question])

print(f"sent {len(image.url)} characters of image data")
print(response.content)
