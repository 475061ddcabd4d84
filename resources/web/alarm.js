// The alarm on a phone: a tone when recording stops being true, a chime when it begins. Browsers let a page sound only
// after somebody has touched it, so the first touch opens the way and nothing is asked for.
const CHIME = [[659, 0.14], [988, 0.26]]; // [Hz, s], as the box's own sounds
const ALARM = [[988, 0.12], [659, 0.16], [0, 0.08], [988, 0.12], [659, 0.16], [0, 0.08], [988, 0.12], [659, 0.16]];

export class Alarm {
  constructor() {
    this.context = null;
    this.seen = null; // what the box had counted when it was last asked
    const open = () => {
      this.context ||= new AudioContext();
      this.context.resume();
    };
    for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, open, { passive: true });
  }

  // The box's counts; null: it cannot be asked, and nothing is known of what it sounded meanwhile.
  show(alarm) {
    const before = this.seen;
    this.seen = alarm;
    if (!alarm || !before) return;
    if (alarm.alarms > before.alarms) this.play("alarm", ALARM);
    else if (alarm.chimes > before.chimes) this.play("chime", CHIME);
  }

  play(name, notes) {
    document.dispatchEvent(new CustomEvent("blackbox-sound", { detail: name }));
    if (!this.context || this.context.state !== "running") return;
    let at = this.context.currentTime;
    for (const [hertz, seconds] of notes) {
      if (hertz) this.note(hertz, at, seconds);
      at += seconds;
    }
  }

  note(hertz, at, seconds) {
    const tone = this.context.createOscillator();
    const loudness = this.context.createGain();
    tone.frequency.value = hertz;
    loudness.gain.setValueAtTime(0, at);
    loudness.gain.linearRampToValueAtTime(0.5, at + 0.01);
    loudness.gain.setValueAtTime(0.5, at + seconds - 0.01);
    loudness.gain.linearRampToValueAtTime(0, at + seconds);
    tone.connect(loudness).connect(this.context.destination);
    tone.start(at);
    tone.stop(at + seconds);
  }
}
