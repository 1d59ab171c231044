# SPDX-License-Identifier: Apache-2.0
"""Small PNG files (W3C PNG, palette): the browser counts the colours of its own screenshot, and rounds them until 256 are enough."""
import base64
import json
import struct
import zlib
from pathlib import Path

PALETTE = """(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + %s;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
    const indices = new Uint8Array(pixels.length);
    let palette;
    for (let bits = 8; bits > 2; bits--) {
        const octet = 256 - (1 << (8 - bits)), mask = octet | octet << 8 | octet << 16;
        palette = new Map();
        let full = false;
        for (let i = 0; i < pixels.length && !full; i++) {
            const colour = pixels[i] & mask;
            let index = palette.get(colour);
            if (index === undefined) {
                if ((full = palette.size === 256)) break;
                // The first colour that was rounded to it stands for all of them.
                palette.set(colour, index = palette.size);
                palette.shown = [...(palette.shown || []), pixels[i] & 0xffffff];
            }
            indices[i] = index;
        }
        if (!full) break;
    }
    let text = '';
    for (let i = 0; i < indices.length; i += 32768) text += String.fromCharCode(...indices.subarray(i, i + 32768));
    return {width: image.width, height: image.height, palette: palette.shown, indices: btoa(text)};
})()"""


def _chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def write(page, screenshot, path):
    """`page`: a blank one, in which the screenshot (PNG octets) is looked at."""
    seen = page.run(PALETTE % json.dumps(base64.b64encode(screenshot).decode()))
    width, height, indices = seen["width"], seen["height"], base64.b64decode(seen["indices"])
    lines = b"".join(b"\0" + indices[row * width : (row + 1) * width] for row in range(height))
    palette = b"".join(bytes((colour & 255, colour >> 8 & 255, colour >> 16)) for colour in seen["palette"])
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
                           + _chunk(b"PLTE", palette) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b""))
