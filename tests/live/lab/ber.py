# SPDX-License-Identifier: Apache-2.0
"""As much of BER (X.690, definite lengths) and LDAP (RFC 4511) as a fake directory needs."""

BIND, UNBIND, SEARCH, ABANDON, COMPARE, EXTENDED = 0x60, 0x42, 0x63, 0x50, 0x6E, 0x77
BIND_RESPONSE, ENTRY, DONE, REFERENCE, COMPARE_RESPONSE, EXTENDED_RESPONSE = 0x61, 0x64, 0x65, 0x73, 0x6F, 0x78


def tlv(tag, *contents):
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        length = bytes([size])
    else:
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content


def integer(number, tag=0x02):
    return tlv(tag, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def octets(value, tag=0x04):
    return tlv(tag, value if isinstance(value, bytes) else value.encode())


def size_of(data):
    """Octets of the first element in `data`, or None while it is not known or not all there."""
    if len(data) < 2:
        return None
    if data[1] < 0x80:
        size = 2 + data[1]
    else:
        count = data[1] & 0x7F
        if len(data) < 2 + count:
            return None
        size = 2 + count + int.from_bytes(data[2:2 + count], "big")
    return size if len(data) >= size else None


def read(data):
    """(tag, content, rest) of the first element."""
    size = size_of(data)
    if size is None:
        raise ValueError("incomplete")
    head = 2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)
    return data[0], data[head:size], data[size:]


def read_all(data):
    elements = []
    while data:
        tag, content, data = read(data)
        elements.append((tag, content))
    return elements


def number(content):
    return int.from_bytes(content, "big", signed=True)


def equalities(content):
    """All (attribute, value) of equality matches in a filter."""
    found = []
    for tag, inner in read_all(content):
        if tag in (0xA0, 0xA1, 0xA2):
            found += equalities(inner)
        elif tag == 0xA3:
            (_, attribute), (_, value) = read_all(inner)
            found.append((attribute.decode().lower(), value))
    return found


def control(oid, value=None):
    return tlv(0x30, octets(oid), b"" if value is None else octets(value))


def message(message_id, operation, controls=()):
    return tlv(0x30, integer(message_id), operation, tlv(0xA0, *controls) if controls else b"")


def result(tag, code, diagnostic="", matched="", referrals=(), tail=b""):
    return tlv(tag, integer(code, 0x0A), octets(matched), octets(diagnostic),
               tlv(0xA3, *[octets(uri) for uri in referrals]) if referrals else b"", tail)


def entry(dn, attributes):
    return tlv(ENTRY, octets(dn), tlv(0x30, *[
        tlv(0x30, octets(name), tlv(0x31, *[octets(value) for value in values]))
        for name, values in attributes.items()]))
