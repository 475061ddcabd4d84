// The live page: strip, picture, controls. It says what the status says and never guesses.
import { Alarm } from "/page/alarm.js";
import { Mark } from "/page/mark.js";
import { Picture } from "/page/picture.js";
import { tellTime } from "/page/time.js";
import { words } from "/page/words.js";

const POLL_MS = 1000;
const POLL_LIMIT_MS = 2500;
const LOOK_MS = 100;
const HOLD_MS = 1200;
const INSET_MS = 1000;
const INSET_LIMIT_MS = 2500; // a still that takes longer is dimmed: a frozen picture is a lie
const NOTICE_MS = 4000;
const MINUTES = [5, 10, 30];

const $ = (id) => document.getElementById(id);
const picture = new Picture($("picture"), signedOut);
const mark = new Mark(ask, notice, poll);
const alarm = new Alarm();

let status = null; // the box's last word; null: not asked yet
let reachable = true;
let statusAt = 0; // performance.now() of `status`, ms
let camera = ""; // the one shown large
let polling = null;
let noticeTimer = 0;
let insetFailed = false;

function signedOut() { location.replace("/sign-in"); }

// ---- asking the box

async function poll() {
  clearTimeout(polling);
  try {
    const answer = await fetch("/api/v1/status", { signal: AbortSignal.timeout(POLL_LIMIT_MS), cache: "no-store" });
    if (answer.status === 401) return signedOut();
    if (!answer.ok) throw new Error(answer.statusText);
    status = await answer.json();
    statusAt = performance.now();
    reachable = true;
  } catch {
    reachable = false;
  }
  show();
  if (!document.hidden) polling = setTimeout(poll, POLL_MS);
}

async function ask(address, method, body) {
  const answer = await fetch(address, {
    method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error || words.failed);
  return told;
}

// ---- showing it

function show() {
  if (status) chooseCamera();
  showStrip();
  showFaults();
  showRecordButton();
  mark.show(reachable && status ? status.marks : null, statusAt);
  alarm.show(reachable && status ? status.alarm : null);
  look();
}

function showStrip() {
  const strip = recordingState();
  $("strip").dataset.state = strip.mood;
  say($("state"), strip.title);
  say($("why"), strip.words);
  $("clock").textContent = clock(strip.mood);
  $("watching").textContent = reachable && status && status.viewers > 0 ? words.watching(status.viewers) : "";
}

// Only what is new: a screen reader would say it again.
function say(element, text) { if (element.textContent !== text) element.textContent = text; }

function recordingState() {
  if (!reachable) return { mood: "unknown", title: words.noConnection, words: words.noConnectionMore };
  return status ? status.strip : { mood: "waiting", title: "…", words: "" };
}

function clock(mood) {
  if (!status || !reachable) return "";
  if (status.utc_source === "unsynced") return mood === "well" ? words.noTime : ""; // an alarm needs the room
  const now = new Date(status.utc_ns / 1e6 + status.time.offset_s * 1000 + performance.now() - statusAt);
  return now.toISOString().slice(11, 16); // in the box's zone, as its own screen says it
}

// What is wrong with cameras that are not shown large; the large one has its words on the picture.
function showFaults() {
  const list = !reachable || !status ? [] : status.cameras.filter((c) => c.name !== camera && troubles(c)).map(
    (c) => `${c.name.toUpperCase()}: ${troubles(c)}`);
  if (reachable && status && status.time.conflict) list.push(status.time.conflict);
  const items = [...$("faults").children].map((item) => item.textContent);
  if (items.join("\n") === list.join("\n")) return;
  $("faults").replaceChildren(...list.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function troubles(c) {
  return c.words || c.stream.words || (c.frames === 0 ? words.why : "");
}

// What stands across a picture that is not live; `seen`: one of this camera has been shown here. As in app/words.py.
function pictureTitle(c, seen) {
  if (c && c.frames === 0) return words.noCamera;
  if (!seen && reachable && (!c || c.state === "live")) return words.starting;
  return words.pictureStopped;
}

// ---- the picture

function chooseCamera() {
  const names = status.cameras.map((c) => c.name);
  if (!names.includes(camera)) open(names[0]);
  const other = names.find((name) => name !== camera);
  $("inset").hidden = !other;
  $("name").hidden = !other;
  if (other && $("inset").dataset.camera !== other) {
    $("inset").dataset.camera = other;
    $("inset").setAttribute("aria-label", words.swap(other));
    $("inset-name").textContent = words.still(other);
    $("inset-picture").removeAttribute("src");
    insetFailed = false;
  }
}

function open(name) {
  camera = name;
  $("name").textContent = name;
  $("picture").setAttribute("aria-label", words.live(name));
  if (!document.hidden) picture.open(name);
}

function swap() {
  const names = status ? status.cameras.map((c) => c.name) : [];
  if (names.length < 2) return;
  open(names[(names.indexOf(camera) + 1) % names.length]);
  show();
}

// The small picture is a still each second: a browser has six connections to the box, one stream is what a page takes.
async function refreshInset() {
  const other = $("inset").dataset.camera;
  if (other && !document.hidden) {
    const answer = await fetch(`/snapshot/${other}.jpg?quality=40`, { signal: AbortSignal.timeout(INSET_LIMIT_MS) }).catch(() => null);
    const image = $("inset-picture");
    insetFailed = !answer || !answer.ok;
    if (answer && answer.ok && other === $("inset").dataset.camera) {
      const before = image.src;
      image.src = URL.createObjectURL(await answer.blob());
      await image.decode().catch(() => null);
      if (before) URL.revokeObjectURL(before);
    }
  }
  setTimeout(refreshInset, INSET_MS);
}

function lookAtInset() {
  const other = status && status.cameras.find((c) => c.name === $("inset").dataset.camera);
  const seen = $("inset-picture").hasAttribute("src");
  const old = !reachable || Boolean(other) && (insetFailed || other.state !== "live");
  $("inset").classList.toggle("old", old);
  say($("inset-title"), old ? pictureTitle(other, seen) : "");
}

function look() {
  lookAtInset();
  const mine = status && status.cameras.find((c) => c.name === camera);
  const old = !reachable || picture.stale;
  const first = picture.paintedAt === -Infinity;
  const wrong = !reachable ? words.noConnectionWhy : mine ? troubles(mine) : "";
  $("veil").hidden = !old;
  if (!old) return;
  say($("veil-title"), pictureTitle(mine, !first));
  say($("veil-words"), wrong);
}

// ---- controls

function notice(text) {
  clearTimeout(noticeTimer);
  $("notice").textContent = text;
  $("notice").hidden = false;
  noticeTimer = setTimeout(() => { $("notice").hidden = true; }, NOTICE_MS);
}

async function snapshot() {
  try {
    const answer = await fetch(`/snapshot/${camera}.jpg?quality=95`);
    if (!answer.ok) throw new Error((await answer.json()).error);
    save(await answer.blob(), `${camera}_${stamp()}.jpg`);
  } catch (error) {
    notice(error instanceof TypeError ? words.failed : error.message);
  }
}

function stamp() {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString();
  return local.slice(0, 19).replace("T", "_").replaceAll(":", "-");
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  notice(words.saved(name));
}

function showRecordButton() {
  const stopped = Boolean(status) && status.recording === "paused";
  $("record").classList.toggle("stopped", stopped);
  $("record-label").textContent = stopped ? words.start : words.stop;
  $("record").disabled = !reachable || !status;
  $("snapshot").disabled = $("record").disabled;
}

async function record(body) {
  try {
    await ask("/api/v1/recording", "POST", body);
  } catch (error) {
    notice(error instanceof TypeError ? words.failed : error.message);
  }
  poll();
}

// Stopping takes a hold, so that no brush of a sleeve does it; then a time after which it goes on by itself.
function holdToStop(button) {
  let timer = 0;
  const stopped = () => button.classList.contains("stopped");
  const begin = () => {
    if (timer || button.disabled || stopped()) return;
    button.classList.add("held");
    timer = setTimeout(() => { end(); $("sheet").showModal(); }, HOLD_MS);
  };
  const end = () => {
    clearTimeout(timer);
    timer = 0;
    button.classList.remove("held");
  };
  const tooShort = () => { if (timer) notice(words.holdLonger); end(); };
  button.addEventListener("pointerdown", (event) => { if (event.button === 0) begin(); });
  button.addEventListener("pointerup", tooShort);
  for (const name of ["pointerleave", "pointercancel", "blur"]) button.addEventListener(name, end);
  button.addEventListener("keydown", (event) => {
    if ((event.key === " " || event.key === "Enter") && !stopped()) { event.preventDefault(); begin(); }
  });
  button.addEventListener("keyup", (event) => { if (event.key === " " || event.key === "Enter") tooShort(); });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("click", (event) => {
    if (stopped()) record({ recording: true });
    else if (event.detail === 0 && event.pointerType === "") $("sheet").showModal(); // a screen reader cannot hold
  });
}

function fillSheet() {
  $("sheet-title").textContent = words.sheetTitle;
  $("sheet-words").textContent = words.sheetWords;
  $("keep").textContent = words.keep;
  $("choices").replaceChildren(...MINUTES.map((count) => Object.assign(document.createElement("button"), {
    textContent: words.minutes(count), value: String(count),
  })));
  $("sheet").addEventListener("close", () => {
    const minutes = Number($("sheet").returnValue);
    $("sheet").returnValue = "";
    if (minutes) record({ recording: false, minutes });
  });
}

async function leave() {
  await ask("/api/v1/session", "DELETE").catch(() => null);
  signedOut();
}

// ---- a page nobody sees takes nothing from the box

function visibility() {
  if (document.hidden) {
    clearTimeout(polling);
    picture.close();
    status = null;
    return;
  }
  show();
  poll();
  if (camera) picture.open(camera);
}

$("snapshot-label").textContent = words.snapshot;
$("leave-label").textContent = words.leave;
$("snapshot").addEventListener("click", snapshot);
$("leave").addEventListener("click", leave);
$("inset").addEventListener("click", swap);
$("picture").addEventListener("click", swap);
document.addEventListener("visibilitychange", visibility);
window.addEventListener("pagehide", () => picture.close());
window.addEventListener("pageshow", (event) => { if (event.persisted) visibility(); });
fillSheet();
holdToStop($("record"));
setInterval(() => { if (!document.hidden) { look(); showStrip(); mark.tick(); } }, LOOK_MS);
show();
poll();
refreshInset();
tellTime();
