"""What a look at recordings can claim, and what it cannot: the same words for `check` and for a bundle's report."""

from __future__ import annotations

from blackbox_qt.storage import signature
from blackbox_qt.storage.check import CheckResult


def claims(result: CheckResult) -> list[str]:
    """Sentences, those that prove something first."""
    return [f"Shown: {words}" for words in shown(result)] + [f"Not shown: {words}" for words in not_shown(result)]


def shown(result: CheckResult) -> list[str]:
    """What can be said for it."""
    good = sum(report.ok for report in result.segments)
    files = f"{good} of {len(result.segments)} files" if good < len(result.segments) else "every file"
    text = [
        f"{files} fits its hashes, byte for byte and in order; frames that are missing are counted with their cause."
    ]
    vouches = result.vouches
    reached = sum(one.good for one in vouches.of.values())
    if vouches.key and reached:
        print_ = signature.spelled(signature.fingerprint(vouches.key))
        whose = "the key given" if vouches.given else "a key that is in the files themselves"
        text.append(f"{reached} files are as whoever holds the device key {print_}, {whose}, finished them.")
    return text


def not_shown(result: CheckResult) -> list[str]:
    """What nobody should read into it."""
    text = []
    vouches = result.vouches
    if vouches.key and not vouches.given:
        text.append("whose key that is: compare its fingerprint with the device's, or give its public key with --key.")
    bare = sum(one.verdict == "unsigned" for one in vouches.of.values())
    if bare:
        text.append(f"who made the {bare} files that no signature reaches: anybody can compute hashes.")
    if any(one.when == "healing" for one in vouches.of.values()):
        text.append("what was done to a file before it was finished after a power cut, and signed then.")
    if any(report.damage for report in result.segments):
        text.append(
            "more than the place where a chain breaks: who changes pictures can make their hashes anew up to any later "
            "place, and no signature reaches what lies before a break in the same file."
        )
    if result.dates or any(note.words.startswith("note by") for note in result.chain):
        text.append("that dates, notes and locks beside the files are all there: they may be taken away unseen.")
    text.append("that the scene was real, a clock was right, or that nothing was recorded after the last file here.")
    return text
