"""report.html: one file that opens anywhere, without a network. Everything that came from a recording is escaped."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Sequence

from blackbox_qt.bundle.facts import Facts, SegmentFact
from blackbox_qt.core import resources


def page(facts: Facts) -> bytes:
    """The report, UTF-8."""
    parts = [
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>Incident report: {_e(facts.asked)}</title><style>{_colours()}{_style()}</style></head><body>",
        f"<h1>Incident report</h1><p>{_e(facts.asked)}</p>",
        f"<p class='muted'>Made {_e(facts.made)} by {_e(facts.software)}</p>",
        _verdict(facts),
        _claims(facts),
        _pictures(facts),
        _segments(facts),
        _more(facts),
        _how(facts),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part).encode()


def _e(text: object) -> str:
    """Escaped; what does not print is shown as what it is."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))
    return html.escape(shown, quote=True)


def _style() -> str:
    return resources.path("bundle/report.css").read_text("utf-8")


def _colours() -> str:
    """The window's colours, by day and by night."""
    tokens = json.loads(resources.path("tokens.json").read_text("utf-8"))
    day, night = ("".join(f"--{name}:{value};" for name, value in tokens[theme].items()) for theme in ("day", "night"))
    return f":root{{{day}}}@media screen and (prefers-color-scheme:dark){{:root{{{night}}}}}"


def _verdict(facts: Facts) -> str:
    kind = {"good": "verdict", "doubt": "verdict doubt", "bad": "verdict bad"}[facts.verdict]
    text = f"<p class='{kind}'>{_e(facts.verdict_words)}</p>"
    if facts.troubles:
        text += f"<h2>What could not be had</h2>{_list(facts.troubles)}"
    return text


def _claims(facts: Facts) -> str:
    return (
        "<div class='two'><section><h2>What this shows</h2>"
        f"{_list(facts.shown)}</section><section><h2>What it does not show</h2>{_list(facts.not_shown)}</section></div>"
    )


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{_e(item[:1].upper() + item[1:])}</li>' for item in items)}</ul>"


def _pictures(facts: Facts) -> str:
    text = ""
    for viewed in facts.viewed:
        files = ", ".join(f"<a href='viewing/{_e(path.name)}'>viewing/{_e(path.name)}</a>" for path in viewed.paths)
        text += f"<h2>Camera {_e(viewed.camera)}</h2>"
        text += f"<p class='muted'>Viewing copy: {files or 'none'}; not the evidence.</p><div class='stills'>"
        for words, jpeg in viewed.stills:
            data = base64.b64encode(jpeg).decode()
            text += f"<figure><img alt='{_e(words)}' src='data:image/jpeg;base64,{data}'>"
            text += f"<figcaption>{_e(words)}</figcaption></figure>"
        text += "</div>"
    return text


def _segments(facts: Facts) -> str:
    heads = ("Segment", "From", "To", "s", "Frames", "Lost", "Ended", "State", "Bytes and SHA-256")
    rows = "".join(_row(one) for one in facts.segments)
    return (
        "<h2>Segments (originals/)</h2><div class='scroll'><table><thead><tr>"
        f"{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(one: SegmentFact) -> str:
    bad = " class='bad'" if one.state_is_bad else ""
    return (
        f"<tr><td><span class='time'>{_e(one.name)}</span><br><span class='muted'>{_e(one.source)}</span></td>"
        f"<td>{_e(one.begins)}</td><td>{_e(one.ends)}</td>"
        f"<td class='number'>{one.seconds:.1f}</td><td class='number'>{one.frames}</td><td>{_e(one.lost)}</td>"
        f"<td>{_e(one.end)}</td><td{bad}>{_e(one.state)}</td>"
        f"<td><span class='muted'>{one.bytes:,}</span><br><code class='hash'>{_e(one.sha256)}</code></td></tr>"
    )


def _more(facts: Facts) -> str:
    return "".join(
        _table(title, heads, rows, none)
        for title, heads, rows, none in (
            ("Gaps, and how segments follow each other", ("Where", "What", "Cause"), facts.gaps, "There is no gap."),
            (
                "Deleted segments of the same starts",
                ("Segment", "When", "Why", "By"),
                facts.deletions,
                "The journal tells of none.",
            ),
            ("Learnt or said later", ("Segment", "What"), facts.beside, "Nothing."),
        )
    )


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> str:
    if not rows:
        return f"<h2>{_e(title)}</h2><p>{_e(none)}</p>"
    body = "".join(f"<tr>{''.join(f'<td>{_e(cell)}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f"<th>{_e(one)}</th>" for one in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<h2>{_e(title)}</h2><div class='scroll'>{table}</div>"


def _how(facts: Facts) -> str:
    keys = "".join(
        f"<p>{_e(file)}: fingerprint <code class='hash'>{_e(fingerprint)}</code></p>"
        for fingerprint, file in facts.keys
    )
    text = resources.path("bundle/README.txt").read_text("utf-8")
    return (
        f"<h2>Keys</h2>{keys or '<p>Nothing here is signed.</p>'}<h2>How to verify it</h2><pre>{_e_lines(text)}</pre>"
    )


def _e_lines(text: str) -> str:
    return "\n".join(_e(line) for line in text.splitlines())
