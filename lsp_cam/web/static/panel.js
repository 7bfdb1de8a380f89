// The preview page: the portrait while the page is seen, and a status line a second.
"use strict";

const POLL_MS = 1000;
const at = (id) => document.getElementById(id);
const state = { muted: false, mirror: false, gone: false };

function watch() {
  // A hidden page takes no pictures, so none are rendered for it.
  const hidden = document.hidden || state.gone;
  if (hidden) at("live").removeAttribute("src");
  else at("live").src = `/live?${Date.now()}`;
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(typeof told.detail === "string" ? told.detail : "The request was refused.");
  return told;
}

function say(kind, text) {
  at("state").dataset.state = kind;
  if (at("state-text").textContent !== text) at("state-text").textContent = text;
}

function list(warnings) {
  const shown = [...at("warnings").children].map((item) => item.textContent);
  if (shown.join("\n") === warnings.join("\n")) return;  // a screen reader would read them again
  at("warnings").replaceChildren(...warnings.map((warning) => {
    const item = document.createElement("li");
    item.textContent = warning;
    return item;
  }));
}

function show(told) {
  state.muted = told.muted;
  state.mirror = told.camera.mirror;
  at("mute").setAttribute("aria-pressed", told.muted);
  at("mirror").setAttribute("aria-pressed", told.camera.mirror);
  at("level").value = Math.max(told.microphone.level_dbfs, -60);
  at("mic-name").textContent = told.microphone.name;
  at("camera").textContent = told.camera.name;
  at("fps").textContent = `${told.camera.fps_new.toFixed(1)} of ${told.camera.fps} fps`;
  const delay = told.latency.measured_p50_ms;
  at("delay").textContent = delay === null ? "–" : `${Math.round(delay)} ms`;
  at("caption").textContent = told.loading ? `Showing ${told.subject}; loading ${told.loading}…` : `Showing ${told.subject}`;
  list(told.warnings);
  say(told.muted ? "muted" : "running", told.muted ? "On air, muted" : "On air");
}

async function refresh() {
  try {
    show(await ask("/api/status"));
    if (state.gone) { state.gone = false; watch(); }
  } catch (error) {
    state.gone = true;
    watch();
    say("gone", "lsp-cam has stopped, or this link is old. Start it, then run: lsp-cam preview");
  }
}

function toggle(button, path, key) {
  at(button).addEventListener("click", async () => {
    at(button).disabled = true;
    try {
      await ask(path, { on: !state[key] });
      await refresh();
    } catch (error) {
      list([error.message]);
    } finally {
      at(button).disabled = false;
      at(button).focus();
    }
  });
}

toggle("mute", "/api/mute", "muted");
toggle("mirror", "/api/mirror", "mirror");
document.addEventListener("visibilitychange", watch);
setInterval(() => { if (!document.hidden) refresh(); }, POLL_MS);
watch();
refresh();
