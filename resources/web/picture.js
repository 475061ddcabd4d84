// One MJPEG stream, read by hand and painted on a canvas. Unlike <img> it can be let go at once, and it knows when the
// last picture came: a frozen picture must never look live.

const RETRY_MS = [500, 1000, 2000, 5000];

export class Picture {
  constructor(canvas, onSignedOut) {
    this.canvas = canvas;
    this.context = canvas.getContext("bitmaprenderer");
    this.onSignedOut = onSignedOut;
    this.paintedAt = -Infinity; // performance.now() of the newest live picture on the canvas, ms
    this.taken = 0; // parts of any stream so far
    this.stopped = false; // the box says that the camera gives nothing
    this.interval = 0; // ms between pictures, smoothed
    this.busy = false;
    this.waiting = null;
    this.stream = null;
  }

  // Show a camera; the one before is let go first.
  open(camera) {
    this.close();
    this.paintedAt = -Infinity;
    this.stopped = false;
    this.context.transferFromImageBitmap(null); // another camera's picture must not stay under this one's name
    this.stream = new AbortController();
    this.run(`/stream/${encodeURIComponent(camera)}.mjpg`, this.stream.signal);
  }

  close() {
    if (this.stream) this.stream.abort();
    this.stream = null;
    this.waiting = null;
  }

  // Whether the picture is too old to be taken for live: 300 ms, or more where pictures come slowly anyway.
  get stale() { return this.stopped || performance.now() - this.paintedAt > Math.max(300, 2.5 * this.interval); }

  tick() {
    const now = performance.now();
    const gap = now - this.paintedAt;
    if (gap < 300) this.interval += 0.1 * (gap - this.interval);
    else if (Number.isFinite(gap)) this.interval = Math.min(1000, gap, 1.3 * Math.max(this.interval, 120));
    this.paintedAt = now;
  }

  async run(address, signal) {
    for (let tries = 0; !signal.aborted; tries += 1) {
      const before = this.taken;
      try {
        await this.read(address, signal);
      } catch (error) {
        if (signal.aborted) return;
      }
      if (this.taken > before) tries = 0;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]));
    }
  }

  async read(address, signal) {
    // Not multipart/x-mixed-replace: Safari takes that one apart by itself and keeps it from fetch().
    const answer = await fetch(address, { signal, cache: "no-store", headers: { Accept: "multipart/mixed" } });
    if (answer.status === 401) this.onSignedOut();
    if (!answer.ok) return;
    const reader = answer.body.getReader();
    const parts = new Parts((data, stopped) => this.take(data, stopped, signal));
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) parts.push(piece.value);
  }

  // The newest picture wins: what arrives while one is being decoded replaces the one that waits.
  async take(data, stopped, signal) {
    if (signal.aborted) return;
    this.taken += 1;
    this.stopped = stopped;
    if (stopped) return; // the box's own card says in ASCII what the page says better, over the last live picture
    this.waiting = data;
    if (this.busy) return;
    this.busy = true;
    while (this.waiting && !signal.aborted) {
      const next = this.waiting;
      this.waiting = null;
      await this.paint(next, signal);
    }
    this.busy = false;
  }

  async paint(data, signal) {
    try {
      const bitmap = await createImageBitmap(new Blob([data], { type: "image/jpeg" }));
      if (signal.aborted) return bitmap.close();
      if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
        this.canvas.width = bitmap.width;
        this.canvas.height = bitmap.height;
      }
      this.context.transferFromImageBitmap(bitmap);
      this.tick();
    } catch (error) {
      console.warn("a picture could not be shown", error);
    }
  }
}

// Cuts a multipart stream into pictures by their Content-Length.
class Parts {
  constructor(onPart) {
    this.onPart = onPart;
    this.buffer = new Uint8Array(1 << 18);
    this.end = 0;
    this.head = null;
  }

  push(bytes) {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.end);
    this.end += bytes.length;
    while (this.cut());
  }

  reserve(more) {
    if (this.end + more <= this.buffer.length) return;
    const larger = new Uint8Array(2 * (this.end + more));
    larger.set(this.buffer.subarray(0, this.end));
    this.buffer = larger;
  }

  cut() {
    if (!this.head) {
      const at = this.blankLine();
      if (at < 0) return false;
      const text = new TextDecoder("latin1").decode(this.buffer.subarray(0, at));
      const length = /content-length: *(\d+)/i.exec(text);
      if (!length) throw new Error("a part without a length");
      this.head = { length: Number(length[1]), stopped: /x-stopped: *1/i.test(text) };
      this.drop(at + 4);
    }
    if (this.end < this.head.length) return false;
    const { length, stopped } = this.head;
    this.onPart(this.buffer.slice(0, length), stopped);
    this.head = null;
    this.drop(length);
    return true;
  }

  blankLine() {
    const b = this.buffer;
    for (let i = 0; i + 3 < this.end; i += 1) {
      if (b[i] === 13 && b[i + 1] === 10 && b[i + 2] === 13 && b[i + 3] === 10) return i;
    }
    return -1;
  }

  drop(count) {
    this.buffer.copyWithin(0, count, this.end);
    this.end -= count;
  }
}
