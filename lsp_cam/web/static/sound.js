// The microphone: which one, how loud, and whether somebody is heard well.
import { post } from "./api.js";
import { at, complain, make, pressing, say, write } from "./dom.js";
import { fill, onDevices } from "./devices.js";

const SECONDS = 4;
let current = null;
let lack = "";

function build() {
  at("setup").append(make("section", { "aria-labelledby": "mic-title" },
    make("h2", { id: "mic-title" }, "Microphone"),
    make("div", { class: "field" },
      make("label", { for: "mic" }, "Listen to"),
      make("select", { id: "mic" })),
    make("div", { class: "field" },
      make("meter", { id: "level", min: -60, max: 0, low: -50, high: -6, optimum: -20, value: -60, "aria-label": "Level of the microphone" }),
      make("p", { id: "mic-name", class: "quiet" })),
    make("div", { class: "row" },
      make("button", { id: "check", type: "button" }, "Say something"),
      make("p", { id: "heard", class: "quiet", role: "status" }, "A check of four seconds: read this line aloud."))));
}

function offer(found) {
  const microphones = found.devices.filter((device) => device.kind === "microphone");
  const choices = [["", current ?? "…"], ["auto", "The system's own"],
    ...microphones.map((device) => [device.id, `${device.name} (${device.detail})`]), ["sample", "A sample of speech, to try"]];
  fill(at("mic"), choices, "");
  const missing = found.missing.find((one) => one.kind === "microphone");
  lack = missing ? `. ${missing.reason}` : "";
}

export function show(status) {
  const { name, state } = status.microphone;
  if (name !== current) {
    current = name;
    const first = at("mic").options[0];
    if (first) write(first, name);
  }
  const words = { live: "", silent: ": no sound at all", lost: ": gone", ended: ": over" }[state];
  write(at("mic-name"), `${name}${words}${lack}`);
}

export function beat(pulse) {
  at("level").value = Math.max(pulse.level_dbfs, -60);
}

async function check() {
  write(at("heard"), "Listening… say something.");
  const heard = await post("/api/microphone/check", { seconds: SECONDS });
  at("heard").className = heard.verdict === "good" ? "quiet" : "note warn";
  write(at("heard"), `${heard.advice} (Speech ${heard.speech_dbfs} dB, room ${heard.room_dbfs} dB.)`);
}

export function start() {
  build();
  pressing(at("check"), check);
  at("mic").addEventListener("change", async () => {
    const device = at("mic").value;
    if (!device) return;
    try {
      const told = await post("/api/microphone", { device });
      say(`Listening to ${told.name}.`);
    } catch (error) {
      complain(error);
    }
    at("mic").blur();
    at("mic").value = "";
  });
  onDevices(offer);
}
