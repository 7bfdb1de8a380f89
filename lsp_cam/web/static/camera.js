// The camera: which one, who reads it, how many pictures and of what size.
import { post } from "./api.js";
import { at, complain, make, say, write } from "./dom.js";
import { fill, onDevices } from "./devices.js";

const RATES = [10, 15, 20, 24, 25, 30, 50, 60];
const SIZES = ["256x256", "512x512", "640x480", "1280x720", "1920x1080"];
const UNLISTED = [["auto", "A virtual camera, if there is one"], ["pipewire", "PipeWire's camera, for browsers"]];
const STATES = {
  none: "Shown on this page only.", live: "On air.", idle: "Ready; nobody reads it yet.", lost: "Not working.",
};
let current = "…";

function field(id, label) {
  return make("div", { class: "field" }, make("label", { for: id }, label), make("select", { id }));
}

function build() {
  at("setup").append(make("section", { "aria-labelledby": "camera-title" },
    make("h2", { id: "camera-title" }, "Camera"),
    field("camera", "Show in"),
    make("p", { id: "camera-state", class: "quiet" }),
    make("div", { class: "two" }, field("fps", "Pictures a second"), field("size", "Size"))));
}

function offer(found) {
  const cameras = found.devices.filter((device) => device.kind === "camera");
  const missing = found.missing.find((lack) => lack.kind === "camera");
  const others = cameras.length ? [] : UNLISTED; // what is wrong with them is told when they are chosen
  fill(at("camera"), [["", current], ["preview", "This page only"], ...others,
    ...cameras.map((device) => [device.id, `${device.name} (${device.id})`])], "");
  at("camera-state").dataset.readers = readersOf(cameras) ?? (missing ? ` ${missing.reason}` : "");
}

function readersOf(cameras) {
  const ours = cameras.find((device) => current.split(/[\s(),]+/).includes(device.id));
  if (!ours) return undefined;
  return ours.readers.length ? ` Read by ${ours.readers.join(", ")}.` : " No program of yours is seen to read it.";
}

export function show(status) {
  const { camera } = status;
  if (camera.name !== current) {
    current = camera.name;
    const first = at("camera").options[0];
    if (first) write(first, current);
  }
  write(at("camera-state"), `${STATES[camera.state]}${at("camera-state").dataset.readers ?? ""}`);
  const size = `${camera.width}x${camera.height}`;
  fill(at("fps"), [...new Set([...RATES, camera.fps])].sort((a, b) => a - b).map((rate) => [rate, rate]), camera.fps);
  fill(at("size"), [...new Set([...SIZES, size])].map((one) => [one, one.replace("x", " × ")]), size);
}

function asking(id, key, parse) {
  at(id).addEventListener("change", async () => {
    const value = at(id).value;
    at(id).blur();
    if (!value) return;
    try {
      const told = await post("/api/camera", { [key]: parse(value) });
      say(`Showing ${told.width} by ${told.height} at ${told.fps} pictures a second.`);
    } catch (error) {
      complain(error);
    }
  });
}

export function start() {
  build();
  asking("camera", "camera", String);
  asking("fps", "fps", Number);
  asking("size", "size", String);
  onDevices(offer);
}
