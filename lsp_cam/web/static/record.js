// Recording with the browser's own camera and microphone: a script to read, silence first, and checks meanwhile.
import { capture } from "./capture.js";
import { at, make, write } from "./dom.js";
import { frame, light } from "./framing.js";

const SILENCE_S = 20;
const FULL_S = 200;
const NOISE_DB = -48;
const EVERY_MS = 1000;
const KINDS = ["video/webm;codecs=vp9,opus", "video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
const SCRIPT = `The evening was calm, and the boats came back one by one. My brother bought five pounds of plums, a bag of
maple sugar, and a big blue bowl. "Why," he asked, "would anybody want so much?" We laughed about it for a while.
Please think of the last place where you felt at home, and tell it as you would tell a friend. Who was there? What did
the room look like? Which sounds do you remember? Take a breath between the sentences. Few people pause as often as they
believe they do. Sometimes judges choose to change their views; usually they measure twice. Now say the days of the
week, the months of the year, and count from one to twenty, as if you had all the time in the world. Then tell what you
did yesterday, from morning to night. If there is time left, tell what you will do tomorrow.`.replace(/\s+/g, " ");

export function stage() {
  return make("div", { id: "studio", hidden: true, class: "field" },
    make("div", { class: "viewfinder" }, make("video", { id: "mirror-video", muted: true, playsinline: true, "aria-label": "You, as the camera sees you" }), make("span", { class: "outline", "aria-hidden": "true" })),
    make("ul", { id: "checks", class: "row", "aria-live": "polite" }, make("li", { id: "check-face", class: "note" }, "Looking for your face…"), make("li", { id: "check-light", class: "note" }), make("li", { id: "check-noise", class: "note" })),
    make("div", { class: "row between" }, make("strong", { id: "studio-cue", role: "status" }), make("span", { id: "studio-time", class: "value" })),
    make("progress", { id: "studio-share", max: FULL_S, value: 0, "aria-label": "Length of the recording" }),
    make("p", { id: "studio-script", class: "note" }, SCRIPT),
    make("button", { id: "studio-stop", type: "button", class: "main" }, "Stop here"));
}

function judgeLight(face) {
  const [on, around] = light(at("mirror-video"), face);
  if (on < 55) return [false, "It is dark: turn a lamp to your face"];
  if (on > 225) return [false, "Too bright: turn away from the window"];
  return around > on + 70 ? [false, "The light is behind you: turn round"] : [true, "Light is good"];
}

function judgeNoise(room, silent) {
  const noise = room.length ? room.reduce((a, b) => a + b) / room.length : -90;
  return noise > NOISE_DB ? [false, "It is noisy here"] : [true, silent ? "Quiet so far" : "The room is quiet"];
}

function tell(id, [good, words]) {
  at(id).dataset.good = good;
  write(at(id), words);
}

function level(analyser) {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return 10 * Math.log10(samples.reduce((sum, v) => sum + v * v, 1e-12) / samples.length);
}

function tick(seconds, room, analyser, face) {
  const silent = seconds < SILENCE_S;
  if (silent && seconds > 1) room.push(level(analyser));
  tell("check-noise", judgeNoise(room, silent));
  tell("check-light", judgeLight(face));
  write(at("studio-cue"), silent ? "Say nothing yet; look into the camera" : "Now read, or talk about anything");
  at("studio-time").textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  at("studio-share").value = seconds;
}

// Look once a second how somebody sits, until `recorder` stops; `seen` counts what was seen.
async function watchFraming(recorder, seen) {
  while (recorder.state !== "inactive") {
    const told = await frame(at("mirror-video")).catch(() => null);
    if (told && !told.is_checked) {
      tell("check-face", [false, `Framing is not checked: ${told.advice}`]);
      return;
    }
    if (told) {
      tell("check-face", [told.is_good, told.advice]);
      [seen.face] = told.faces;
      seen.looks += 1;
      seen.good += told.is_good;
    }
    await new Promise((next) => setTimeout(next, EVERY_MS));
  }
}

// Record until it is stopped or long enough; gives { file, well }: the share of looks at which all was well (null: none).
export async function record() {
  const stream = await capture();
  at("studio").hidden = false;
  at("mirror-video").srcObject = stream;
  await at("mirror-video").play();
  const sound = new AudioContext();
  const analyser = sound.createAnalyser();
  sound.createMediaStreamSource(stream).connect(analyser);
  const recorder = new MediaRecorder(stream, { mimeType: KINDS.find((kind) => MediaRecorder.isTypeSupported(kind)), videoBitsPerSecond: 6e6 });
  const pieces = [], room = [], seen = { looks: 0, good: 0, face: undefined };
  recorder.ondataavailable = (event) => pieces.push(event.data);
  const ended = new Promise((end) => { recorder.onstop = end; });
  recorder.start(1000);
  watchFraming(recorder, seen);
  const began = performance.now();
  const clock = setInterval(() => {
    const seconds = (performance.now() - began) / 1000;
    tick(seconds, room, analyser, seen.face);
    if (seconds >= FULL_S) recorder.stop();
  }, 500);
  at("studio-stop").onclick = () => { if (recorder.state !== "inactive") recorder.stop(); };
  await ended;
  clearInterval(clock);
  sound.close();
  for (const track of stream.getTracks()) track.stop();
  at("studio").hidden = true;
  const ending = recorder.mimeType.includes("mp4") ? "mp4" : "webm";
  const file = new File(pieces, `recording.${ending}`, { type: recorder.mimeType });
  return { file, well: seen.looks ? seen.good / seen.looks : null };
}
