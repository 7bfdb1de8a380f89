// The delay from voice to picture, part by part, and what else tells how well it runs.
import { at, make, write } from "./dom.js";
import { SHADES, draw } from "./plot.js";

const SECONDS = 60;
const PARTS = [["look_ahead", "The method hears ahead"], ["motion", "Hearing and moving"], ["waiting", "Waiting for the renderer"],
  ["rendering", "Rendering"], ["camera", "Waiting for the camera"]];
const FIGURES = [["total", "Voice to picture"], ["new", "New pictures"], ["again", "Shown again, last minute"],
  ["left", "Left out, last minute"], ["lips", "Lip-sync"], ["drift", "Microphone's clock"]];
const rows = [];
let settings = { fps: 30, watched: true };

function build() {
  const line = ([part, label], i) => {
    const key = make("i", { "aria-hidden": "true" });
    key.style.opacity = SHADES[i];
    return make("tr", {}, make("th", { scope: "row" }, key, label), make("td", { id: `delay-${part}` }, "–"));
  };
  at("timing").append(make("section", { "aria-labelledby": "timing-title" },
    make("h2", { id: "timing-title" }, "From voice to picture"),
    make("p", { id: "verdict", role: "status" }, "Measuring…"),
    make("canvas", { id: "plot", role: "img", "aria-label": "The delay of the last minute, part by part" }),
    make("table", { class: "legend" }, make("tbody", {}, ...PARTS.map(line)))),
  make("section", {}, make("dl", { class: "figures" },
    ...FIGURES.flatMap(([id, label]) => [make("dt", {}, label), make("dd", { id: `figure-${id}` }, "–")]))));
}

function verdict(total, pulse) {
  if (pulse.paused) return "Paused: the camera shows one picture on and on.";
  if (!settings.watched) return "Nobody watches, so hardly anything is rendered.";
  if (pulse.fps_new < 0.9 * settings.fps) return `Your CPU is busy: ${pulse.fps_new.toFixed(0)} of ${settings.fps} fps. Close other programs, or choose fewer pictures a second under Set up.`;
  if (total > 700) return "The picture is late. Close other programs, or choose fewer pictures a second under Set up.";
  return "All is well.";
}

export function show(status) {
  settings = { fps: status.camera.fps, watched: status.camera.state === "live" || status.watchers > 0 };
}

export function beat(pulse) {
  if (!pulse.delay_ms) return;
  const parts = PARTS.map(([part]) => Math.max(pulse.delay_ms[part], 0));
  rows.push({ at: performance.now(), parts, repeated: pulse.repeated, skipped: pulse.skipped });
  while (rows.length > 2 && rows[0].at < rows.at(-1).at - SECONDS * 1000) rows.shift();
  if (at("timing").hidden) return;
  const total = parts.reduce((a, b) => a + b, 0);
  PARTS.forEach(([part], i) => write(at(`delay-${part}`), `${parts[i].toFixed(0)} ms`));
  write(at("verdict"), verdict(total, pulse));
  write(at("figure-total"), `${total.toFixed(0)} ms`);
  write(at("figure-new"), `${pulse.fps_new.toFixed(1)} of ${settings.fps} fps`);
  write(at("figure-again"), String(pulse.repeated - rows[0].repeated));
  write(at("figure-left"), String(pulse.skipped - rows[0].skipped));
  write(at("figure-lips"), pulse.lip_sync_ms === null ? "no LSP Mic" : `${pulse.lip_sync_ms.toFixed(0)} ms`);
  write(at("figure-drift"), `${pulse.skew_ppm.toFixed(0)} ppm`);
  draw(at("plot"), rows, SECONDS);
}

export function start() {
  build();
}
