// Exchanges the key for a cookie. The key comes from the address's fragment (the QR code) or from the form.
"use strict";

const form = document.getElementById("form");
const input = document.getElementById("key");
const wrong = document.getElementById("wrong");
const go = document.getElementById("go");

const words = {
  wrong: "That is not this box's key.",
  unreachable: "No connection to the box. Is this phone on its Wi-Fi?",
  busy: "Signing in…",
};

async function signIn(key) {
  go.disabled = true;
  wrong.textContent = "";
  try {
    const answer = await fetch("/api/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key }),
    });
    if (answer.ok) {
      location.replace("/");
      return;
    }
    const told = await answer.json().catch(() => ({}));
    wrong.textContent = told.error || words.wrong;
  } catch {
    wrong.textContent = words.unreachable;
  }
  go.disabled = false;
  input.focus();
  input.select();
}

// Whoever comes here signed in already (a link from elsewhere carries no SameSite=Strict cookie) goes straight on.
async function goOnIfSignedIn() {
  const answer = await fetch("/api/v1/status").catch(() => null);
  if (answer && answer.ok) location.replace("/");
}

function start() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) {
    goOnIfSignedIn();
    return;
  }
  history.replaceState(null, "", location.pathname); // out of the address bar and of the history
  signIn(key);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(input.value);
});
window.addEventListener("hashchange", start); // a second QR code, with this page still open
start();
