// The portrait: live while the page is seen; its buttons; and the hand that turns the head.
import { newest, post } from "./api.js";
import { at, complain, pressing, say, write } from "./dom.js";

const TURN_DEG = 45; // across the whole portrait
const MOST = { yaw_deg: 15, pitch_deg: 10, roll_deg: 10 }; // beyond, pictures of most subjects fall apart
const STEP_DEG = 2;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const SWITCHES = { mute: "muted", pause: "paused", mirror: "mirror" };
const now = { muted: false, paused: false, mirror: false, mode: "auto", head: null };
const turn = newest("/api/pose", complain);
let grip = null;
let turned = -1e9;

export function watch(seen) {
  // A hidden page takes no pictures, so none are rendered for it.
  if (seen && !document.hidden) at("live").src = `/live?${Date.now()}`;
  else at("live").removeAttribute("src");
}

export function turnTo(yaw, pitch, roll = now.head?.roll_deg ?? 0) {
  const within = (value, most) => Math.max(-most, Math.min(most, value));
  const pose = { mode: "fixed", yaw_deg: within(yaw, MOST.yaw_deg), pitch_deg: within(pitch, MOST.pitch_deg), roll_deg: within(roll, MOST.roll_deg) };
  turned = performance.now();
  now.mode = "fixed";
  now.head = { ...now.head, ...pose };
  turn(pose);
  return pose;
}

export function giveBack() {
  turned = -1e9;
  turn({ mode: "auto" });
  say("The speech moves the head.");
}

export function show(status) {
  Object.assign(now, { muted: status.muted, paused: status.paused, mirror: status.camera.mirror });
  for (const [id, key] of Object.entries(SWITCHES)) at(id).setAttribute("aria-pressed", now[key]);
  const { width, height } = status.camera;
  Object.assign(at("live"), { width, height });
  at("handle").style.setProperty("--shape", width / height);
  const size = `${width} × ${height}, ${status.camera.fps_new.toFixed(0)} of ${status.camera.fps} fps`;
  write(at("caption"), status.loading ? `Showing ${status.subject}; loading ${status.loading}…` : `Showing ${status.subject} · ${size}`);
}

export function beat(pulse) {
  const easing = performance.now() - turned < 1000; // the head is on its way to where the hand put it
  if (!grip && !easing) Object.assign(now, { mode: pulse.steered_by, head: pulse.head });
  at("hold").setAttribute("aria-pressed", pulse.steered_by === "hold");
}

function startDragging() {
  const handle = at("handle");
  handle.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    handle.setPointerCapture(event.pointerId);
    handle.classList.add("turning");
    grip = { x: event.clientX, y: event.clientY, yaw: now.head?.yaw_deg ?? 0, pitch: now.head?.pitch_deg ?? 0 };
  });
  handle.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const scale = TURN_DEG / handle.clientWidth * (now.mirror ? -1 : 1);
    turnTo(grip.yaw + (event.clientX - grip.x) * scale, grip.pitch - (event.clientY - grip.y) * Math.abs(scale));
  });
  for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => {
    grip = null;
    handle.classList.remove("turning");
  });
}

function startKeys() {
  at("handle").addEventListener("keydown", (event) => {
    const [right, up] = KEYS[event.key] ?? [0, 0];
    if (event.key === "Escape") giveBack();
    else if (event.key === "Home") turnTo(0, 0, 0);
    else if (right || up) {
      const side = now.mirror ? -right : right;
      const pose = turnTo((now.head?.yaw_deg ?? 0) + side * STEP_DEG, (now.head?.pitch_deg ?? 0) + up * STEP_DEG);
      say(`Head at ${pose.yaw_deg.toFixed(0)} degrees sideways, ${pose.pitch_deg.toFixed(0)} up.`);
    } else return;
    event.preventDefault();
  });
}

export function start() {
  for (const [id, key] of Object.entries(SWITCHES)) pressing(at(id), async () => {
    await post(`/api/${id}`, { on: !now[key] });
    now[key] = !now[key];
    at(id).setAttribute("aria-pressed", now[key]);
  });
  pressing(at("hold"), () => post("/api/pose", { mode: now.mode === "hold" ? "auto" : "hold" }));
  document.addEventListener("visibilitychange", () => watch(true));
  startDragging();
  startKeys();
  watch(true);
}
