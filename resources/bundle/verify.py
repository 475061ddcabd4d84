import hashlib, json, struct, sys

UUID = bytes.fromhex("f6e28f36758f4f07a1b5980f9b3dd07f")


def boxes(data):
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            sys.exit(f"byte {at}: the file ends inside a box")
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            sys.exit(f"byte {at}: not a whole box")
        yield at, at + size, kind
        at += size


def verify(path):
    data = open(path, "rb").read()
    since, previous, last = 0, None, None
    for start, end, kind in boxes(data):
        if kind == b"mfra" and last in ("end", "signature") and end == len(data):
            return print("complete")
        if kind != b"uuid":
            continue
        if data[start + 8 : start + 24] != UUID:
            sys.exit(f"byte {start}: a box of somebody else")
        stored, text = data[start + 24 : start + 56], data[start + 56 : end]
        try:
            body = json.loads(text)
            previous = previous or bytes.fromhex(body["previous"]["hash"])
            signed = body["end"] if body["type"] == "signature" else ""
        except (ValueError, KeyError, TypeError):
            sys.exit(f"bytes {since} to {end}: not a record")
        if hashlib.sha256(previous + data[since:start] + text).digest() != stored or signed not in ("", previous.hex()):
            sys.exit(f"bytes {since} to {end}: changed")
        since, previous, last = end, stored, body["type"]
        print(last, body.get("number", ""), body.get("frames", ""), body.get("key", stored.hex()))
    sys.exit(f"byte {since}: it was not finished; all before is proven")


for path in sys.argv[1:]:
    print(path)
    verify(path)
