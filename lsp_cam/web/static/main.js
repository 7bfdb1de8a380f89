// The panel: a pulse some times a second, the whole status once a second, and nothing while nobody looks.
import { get } from "./api.js";
import { at, write } from "./dom.js";
import * as camera from "./camera.js";
import * as create from "./create.js";
import * as dub from "./dub.js";
import * as gallery from "./gallery.js";
import * as head from "./head.js";
import * as portrait from "./portrait.js";
import * as sound from "./sound.js";
import { startTabs } from "./tabs.js";
import * as timing from "./timing.js";
import { showWarnings } from "./warnings.js";

const PULSE_MS = 125;
const PULSES_A_STATUS = 8;
const PARTS = [portrait, sound, camera, head, gallery, timing, dub, create];
let gone = false;

function told(status) {
  const state = status.paused ? "paused" : status.muted ? "muted" : "running";
  at("state").dataset.state = state;
  write(at("state-text"), { running: "On air", muted: "On air, muted", paused: "On air, paused" }[state]);
  showWarnings(status.warnings);
  for (const part of PARTS) part.show?.(status);
}

function lost() {
  gone = true;
  portrait.watch(false);
  at("state").dataset.state = "gone";
  write(at("state-text"), "lsp-cam has stopped, or this link is old. Start it, then run: lsp-cam panel");
}

async function beat(count) {
  try {
    if (count % PULSES_A_STATUS === 0) told(await get("/api/status"));
    const pulse = await get("/api/pulse");
    for (const part of PARTS) part.beat?.(pulse);
    if (gone) portrait.watch(true);
    gone = false;
  } catch (error) {
    lost();
  }
}

async function run() {
  for (let count = 0; ; count += 1) {
    if (document.hidden) await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true }));
    const began = performance.now();
    await beat(count);
    const wait = gone ? 2000 : Math.max(PULSE_MS - (performance.now() - began), 30);
    if (gone) count = -1;
    await new Promise((next) => setTimeout(next, wait));
  }
}

// A file dropped beside its place would be opened in place of the panel.
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
for (const part of PARTS) part.start();
startTabs();
run();
