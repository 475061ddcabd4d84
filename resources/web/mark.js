// MARK: keeps what lies around this moment. It says "Saved" when the box says so, and never before.
import { words } from "/page/words.js";

const ADDRESS = "/api/v1/marks";
const FLASH_MS = 450;
const OFFER_MS = 15000; // a trip that is kept has no end: its undo is offered so long
const STATUS_MS = 150; // the box's status may be so old: asked sooner it would not know yet
const $ = (id) => document.getElementById(id);

export class Mark {
  // `ask(address, method, body)` resolves with the answer; `notice(text)` says something for some seconds.
  constructor(ask, notice, poll) {
    Object.assign(this, { ask, notice, poll });
    this.asking = false;
    this.running = ""; // the mark that keeps what is recorded now
    this.undone = ""; // one that this page took back: its end is no "Kept"
    this.until = 0; // performance.now(), ms
    this.pressedAt = -Infinity; // the same
    $("mark-title").textContent = words.mark;
    $("undo").textContent = words.undo;
    $("keep-trip").textContent = words.keepTrip;
    $("mark").addEventListener("click", () => this.send("POST", ADDRESS, { by: "page" }));
    $("keep-trip").addEventListener("click", () => this.send("POST", ADDRESS, { by: "page", whole_trip: true }));
    $("undo").addEventListener("click", () => this.undo());
  }

  // The box's word of `at`, performance.now(); null: it cannot be asked.
  show(marks, at) {
    $("mark").disabled = !marks || this.asking;
    if (!marks) return this.tick();
    if (this.running && !marks.running && this.undone !== this.running) this.notice(words.kept);
    if (marks.refused && !this.refused) this.notice(marks.refused);
    this.refused = marks.refused;
    this.running = marks.running;
    this.until = marks.left_s === null ? Infinity : at + marks.left_s * 1000;
    this.waiting = marks.words;
    this.trip = marks.whole_trip;
    $("keep-trip").hidden = marks.whole_trip;
    this.tick();
  }

  tick() {
    const left = Math.ceil((this.until - performance.now()) / 1000);
    const runs = Boolean(this.running) && left > 0;
    const text = this.waiting ? words.cardWaits : runs ? this.left(left) : this.asking ? words.marking : words.markMore;
    if ($("mark-more").textContent !== text) $("mark-more").textContent = text;
    $("mark").classList.toggle("running", runs);
    $("mark").classList.toggle("waits", Boolean(this.waiting));
    $("mark-choices").hidden = !runs || left === Infinity && performance.now() - this.pressedAt > OFFER_MS;
  }

  left(seconds) { return seconds === Infinity ? words.keepingTrip : words.keeping(seconds); }

  async send(method, address, body) {
    if (this.asking) return;
    this.asking = true;
    this.pressedAt = performance.now();
    this.tick();
    try {
      const told = await this.ask(address, method, body);
      if (told.state !== "waiting" && !told.undone) this.flash();
      this.notice(told.words);
    } catch (error) {
      this.notice(error instanceof TypeError ? words.failed : error.message);
    }
    this.asking = false;
    setTimeout(this.poll, STATUS_MS);
  }

  undo() {
    this.undone = this.running;
    this.send("DELETE", `${ADDRESS}/${encodeURIComponent(this.running)}`);
  }

  // The edge, once: it is saved.
  flash() {
    $("flash").hidden = false;
    setTimeout(() => { $("flash").hidden = true; }, FLASH_MS);
  }
}
