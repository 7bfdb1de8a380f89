// The head and the manner: sliders for what the hand does on the portrait, and how much of everything.
import { newest, post } from "./api.js";
import { at, complain, make, pressing, say, write } from "./dom.js";
import { giveBack, turnTo } from "./portrait.js";

const POSES = [["yaw", "Sideways", 15], ["pitch", "Up and down", 10], ["roll", "Tilt", 10]];
const MANNERS = [["mouth", "Mouth opens", 2], ["shoulders", "Shoulders move", 3], ["blinks", "Blinks", 3]];
const WORDS = { auto: "The speech moves the head.", fixed: "You hold the head.", hold: "The head is held still.", track: "The head follows a track." };
const behave = newest("/api/manner", complain);
let touched = -1e9;
let manner = { liveliness: 1, mouth: 1, shoulders: 1, blinks: 1 };

function slider(id, label, least, most, step) {
  return make("div", { class: "slider" },
    make("label", { for: id }, label), make("output", { id: `${id}-value`, class: "value", for: id }),
    make("input", { id, type: "range", min: least, max: most, step, value: 0 }));
}

function build() {
  at("head").append(
    make("section", { "aria-labelledby": "turn-title" },
      make("div", { class: "row between" }, make("h2", { id: "turn-title" }, "Turn the head"),
        make("button", { id: "auto", type: "button" }, "Back to automatic")),
      make("p", { id: "steered", class: "quiet", role: "status" }),
      ...POSES.map(([id, label, most]) => slider(id, label, -most, most, 1))),
    make("section", { "aria-labelledby": "manner-title" },
      make("div", { class: "row between" }, make("h2", { id: "manner-title" }, "Manner"),
        make("button", { id: "reset", type: "button" }, "Reset")),
      make("div", { class: "row" },
        make("div", { id: "dial" }, make("output", { id: "liveliness-value", for: "liveliness" }),
          make("input", { id: "liveliness", type: "range", min: 0, max: 3, step: 0.05, value: 1, "aria-labelledby": "liveliness-label" })),
        make("div", {}, make("h3", { id: "liveliness-label" }, "Liveliness"),
          make("p", { class: "quiet" }, "How freely the head moves by itself."), make("p", { class: "quiet" }, "1× is as it was made."))),
      ...MANNERS.map(([id, label, most]) => slider(id, label, 0, most, 0.05)),
      make("p", { class: "quiet" }, "Kept for this subject, also for the next time.")));
}

function put(id, value, text) {
  if (Number(at(id).value) !== value) at(id).value = value;
  write(at(`${id}-value`), text);
}

function puts() {
  for (const [name, value] of Object.entries(manner)) put(name, value, `${value.toFixed(2).replace(/\.?0+$/, "")}×`);
  at("dial").style.setProperty("--turn", manner.liveliness / 3);
}

export function show(status) {
  if (performance.now() - touched < 1500) return;
  manner = { ...status.manner };
  puts();
}

export function beat(pulse) {
  write(at("steered"), WORDS[pulse.steered_by]);
  at("auto").disabled = pulse.steered_by === "auto";
  if (!pulse.head || performance.now() - touched < 1500) return;
  for (const [id] of POSES) {
    const angle = Math.round(pulse.head[`${id}_deg`]) || 0; // no -0
    put(id, angle, `${angle}°`);
  }
}

export function start() {
  build();
  for (const [id] of POSES) at(id).addEventListener("input", () => {
    touched = performance.now();
    const [yaw, pitch, roll] = POSES.map(([name]) => Number(at(name).value));
    turnTo(yaw, pitch, roll);
    write(at(`${id}-value`), `${at(id).value}°`);
  });
  for (const id of Object.keys(manner)) at(id).addEventListener("input", () => {
    touched = performance.now();
    manner[id] = Number(at(id).value);
    puts();
    behave(manner);
  });
  pressing(at("auto"), async () => giveBack());
  pressing(at("reset"), async () => {
    await post("/api/reset");
    touched = -1e9;
    say("As it was made.");
  });
}
