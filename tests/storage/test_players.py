"""What others make of our files: ffmpeg, GStreamer, Chromium; finished, torn, and through Media Source."""

from __future__ import annotations

import http.server
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.verify import verify

from .fakes import FRAME_NS, START_NS, Bench, clip, record, steady

WAIT_S = 40


def needs(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")


def run(*command: str | Path) -> str:
    """Output of a program that must succeed and complain about nothing."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def pts_us(path: Path) -> list[int]:
    out = run("ffprobe", "-v", "error", "-show_entries", "frame=pts", "-of", "csv=p=0", path)
    return [int(line.strip(",")) for line in out.split()]


def halving() -> list[int]:
    """75 frames at 30 per second, then 75 at 15 with a stop of 3 s between."""
    return [*steady(75), *steady(75, 2 * FRAME_NS, START_NS + 75 * FRAME_NS + 3_000_000_000)]


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.part` cut in the middle of its last fragment."""
    bench = Bench(tmp_path_factory.mktemp("torn"))
    bench.feed(clip())
    path = bench.parts()[0]
    bench.recording.abandon()
    path.write_bytes(path.read_bytes()[:-1500])
    return path


def test_ffmpeg_sees_every_frame_at_its_time(tmp_path: Path) -> None:
    needs("ffprobe")
    moments = halving()
    (path,) = record(tmp_path, clip(moments))
    assert pts_us(path) == [(t - START_NS) // 1000 for t in moments]
    assert run("ffmpeg", "-v", "error", "-i", path, "-f", "null", "-") == ""


def test_ffmpeg_loses_nothing_between_segments(tmp_path: Path) -> None:
    needs("ffprobe")
    paths = record(tmp_path, clip(steady(150)), segment_s=1.5)
    assert [len(pts_us(path)) for path in paths] == [62, 62, 26]  # a key frame a second is every 31st here


def test_ffmpeg_seeks_and_knows_the_length(tmp_path: Path) -> None:
    needs("ffprobe")
    (path,) = record(tmp_path, clip(steady(150)))
    shown = run("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path)
    assert float(shown) == pytest.approx(5.0, abs=0.01)
    out = run(
        *("ffprobe", "-v", "error", "-read_intervals", "3.5%+#1", "-show_entries", "frame=pts,key_frame"),
        *("-of", "csv=p=0", path),
    )
    assert re.match(r"1,30\d{5}", out), out


def test_ffmpeg_plays_a_torn_file(torn: Path) -> None:
    needs("ffmpeg")
    done = subprocess.run(
        ["ffprobe", "-v", "quiet", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", torn],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert 78 <= int(done.stdout) <= 90


@pytest.mark.parametrize("kind", ["finished", "torn"])
def test_gstreamer_plays(kind: str, torn: Path, tmp_path: Path) -> None:
    needs("gst-launch-1.0")
    path = torn if kind == "torn" else record(tmp_path, clip())[0]
    pipeline = f"filesrc location={path} ! qtdemux ! h264parse ! avdec_h264 ! identity silent=false name=n ! fakesink"
    done = subprocess.run(["gst-launch-1.0", "-v", *pipeline.split()], capture_output=True, text=True, timeout=WAIT_S)
    if "no element" in done.stderr:
        pytest.skip(f"GStreamer lacks a part: {done.stderr.splitlines()[0]}")
    frames = len(re.findall(r"n: last-message = chain ", done.stdout))
    assert frames == 90 if kind == "finished" else 70 <= frames <= 90, done.stderr


PAGE = """<!doctype html><video id=v muted></video><script>
const v = document.getElementById('v');
async function plain(url) {
  v.src = url;
  await new Promise((ok, no) => { v.onloadeddata = ok; v.onerror = () => no(v.error.message); });
  const first = v.videoWidth;
  v.currentTime = 1.5;
  await new Promise((ok, no) => { v.onseeked = ok; v.onerror = () => no(v.error.message); });
  await v.play(); v.playbackRate = 4;
  await new Promise(ok => { v.onended = ok; v.onerror = ok; });
  return {width: first, end: v.currentTime, duration: v.duration, error: v.error && v.error.message};
}
async function mse(url, piece) {
  const source = new MediaSource();
  v.src = URL.createObjectURL(source);
  await new Promise(ok => source.onsourceopen = ok);
  const data = await (await fetch(url)).arrayBuffer();
  const buffer = source.addSourceBuffer('video/mp4; codecs="CODEC"');
  for (let at = 0; at < data.byteLength; at += piece) {
    buffer.appendBuffer(data.slice(at, at + piece));
    await new Promise((ok, no) => { buffer.onupdateend = ok; buffer.onerror = () => no('refused at ' + at); });
  }
  if (source.readyState == 'open') source.endOfStream();
  const b = v.buffered;
  return {ranges: b.length, start: b.start(0), end: b.end(b.length - 1), error: v.error && v.error.message};
}
</script>"""


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Files with byte ranges, as a browser needs them to seek."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        data = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        stop = min(int(asked[2]) + 1 if asked and asked[2] else len(data), len(data))
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", "text/html" if path.suffix == ".html" else "video/mp4")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(stop - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.end_headers()
        try:
            self.wfile.write(data[start:stop])
        except ConnectionError:  # the browser has seen enough of this range
            return None
        return None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which a browser finds it."""
    server = http.server.HTTPServer(("127.0.0.1", 0), partial(_Ranges, directory=str(tmp_path)))
    worker = Worker("test-site", server.serve_forever)
    worker.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    worker.join(5)
    server.server_close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[object]:
    needs("chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    for flag in ("no-sandbox", "headless", "disable-gpu", "disable-background-networking", "disable-component-update"):
        options.add_argument(f"--{flag}")
    options.add_argument("--disable-sync")
    options.add_argument("--autoplay-policy=no-user-gesture-required")
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(WAIT_S)
    yield driver
    driver.quit()


@pytest.mark.slow
@pytest.mark.keeps  # selenium's own sockets
def test_chromium_plays_and_seeks(site: tuple[Path, str], browser: object, torn: Path, tmp_path: Path) -> None:
    folder, address = site
    packets = clip()
    shutil.copy(record(tmp_path / "data", packets)[0], folder / "good.mp4")
    shutil.copy(torn, folder / "torn.mp4")
    codec = "avc1." + packets[0].stream.avcc[1:4].hex()
    (folder / "page.html").write_text(PAGE.replace("CODEC", codec))
    browser.get(f"{address}/page.html")  # type: ignore[attr-defined]

    def ask(call: str) -> dict[str, object]:
        script = f"const done = arguments[0]; {call}.then(done, e => done({{error: String(e)}}))"
        answer = browser.execute_async_script(script)  # type: ignore[attr-defined]
        return dict(answer)

    good = ask("plain('good.mp4')")
    if "codec" in str(good.get("error")).lower() or "DEMUXER_ERROR_NO_SUPPORTED" in str(good.get("error")):
        pytest.skip("this Chromium has no H.264")
    assert good["error"] is None
    assert good["width"] == 160
    assert good["duration"] == pytest.approx(3.0, abs=0.05)
    assert good["end"] == pytest.approx(3.0, abs=0.05)
    (folder / "healed.mp4").write_bytes(torn.read_bytes()[: verify(Disk(), torn).good_bytes])
    healed = ask("plain('healed.mp4')")
    assert healed["error"] is None
    assert 2.5 < float(str(healed["end"])) < 3.0
    cut = ask("plain('torn.mp4')")  # half a picture: Chromium plays up to it and then reports an error
    assert float(str(cut["end"])) > 2.2  # where its clock stood when the decoder met the cut
    for name, piece in (("good.mp4", 1 << 20), ("good.mp4", 7777), ("healed.mp4", 1 << 20), ("torn.mp4", 1 << 20)):
        fed = ask(f"mse('{name}', {piece})")
        assert fed["error"] is None
        assert (fed["ranges"], fed["start"]) == (1, 0)
        assert float(str(fed["end"])) > 2.5
