// A new subject: a film, a consent, and the training with pictures of the portrait as it grows.
import { get, post, upload } from "./api.js";
import { at, complain, make, pressing, say, write } from "./dom.js";
import { record, stage } from "./record.js";

const EVERY_MS = 2000;
const WELL = 0.8;
const LENGTHS = [["", "As long as it takes (hours)"], ["20", "Some 20 minutes: a draft"], ["0.2", "As short as can be: only to try it out"]];
const STATES = { running: "", done: "Made: it is among the subjects now, and the film is deleted.", failed: "It stopped: ", cancelled: "It rests. " };
let film = null;
let recording = null;

function text(id, label, value = "", hint = null, more = {}) {
  const described = hint ? { "aria-describedby": `${id}-hint`, title: hint } : {};
  return make("div", { class: "field" }, make("label", { for: id }, label),
    make("input", { id, type: "text", value, required: true, ...described, ...more }),
    hint ? make("p", { id: `${id}-hint`, class: "quiet" }, hint) : null);
}

function form() {
  return make("form", { id: "new-form", class: "field", hidden: true },
    make("p", { id: "new-film", class: "note" }),
    text("new-name", "Name of the subject", "", "Small letters, digits, - and _.", { pattern: "[a-z0-9][a-z0-9_\\-]{0,39}" }),
    text("new-shows", "Who is shown", "", "The full name."),
    make("div", { class: "field" }, make("label", { for: "new-statement" }, "Their consent, in their own words"),
      make("textarea", { id: "new-statement", rows: 3, required: true }, "I agree to be shown speaking words that I did not say, in a live camera, rendered files and calls.")),
    make("label", { class: "row" }, make("input", { id: "new-agreed", type: "checkbox", required: true }), "The person shown has agreed to this"),
    text("new-licence", "Licence: what others may do with it", "All rights reserved"),
    make("div", { class: "field" }, make("label", { for: "new-size" }, "Size of its pictures"),
      make("select", { id: "new-size" }, make("option", { value: 512 }, "512 × 512"), make("option", { value: 256 }, "256 × 256 (quicker)"))),
    make("div", { class: "field" }, make("label", { for: "new-minutes" }, "How long to train"),
      make("select", { id: "new-minutes" }, ...LENGTHS.map(([minutes, words]) => make("option", { value: minutes }, words)))),
    make("button", { class: "main" }, "Make the subject"),
    make("p", { class: "quiet" }, "This takes hours on a processor, at the lowest priority. It can be stopped and gone on with. The film never leaves this machine, and is deleted when the subject is made."));
}

function build() {
  const file = make("input", { id: "film", type: "file", accept: "video/*", class: "unseen" });
  at("new").append(make("section", { "aria-labelledby": "new-title" },
    make("h2", { id: "new-title" }, "Make a subject of somebody"),
    make("p", { class: "quiet" }, "Three minutes of one person who talks into the camera, the first twenty seconds in silence."),
    make("div", { class: "row" }, make("button", { id: "record", type: "button", class: "main" }, "Record now"),
      file, make("label", { for: "film", class: "choose" }, "Choose a film")),
    stage(), form(),
    make("div", { id: "sending", hidden: true, class: "field" }, make("span", {}, "Sending the film…"), make("progress", { id: "sent", max: 1, value: 0, "aria-label": "Share of the film that is sent" }))),
  make("section", { id: "creations", "aria-label": "Subjects in the making" }));
  file.addEventListener("change", () => { if (file.files[0]) take(file.files[0]); file.value = ""; });
  pressing(at("record"), async () => {
    const { file: recorded, well } = await record();
    take(recorded, well);
  });
  at("new-form").addEventListener("submit", (event) => { event.preventDefault(); begin().catch(complain); });
}

function take(file, well = null) {
  film = file;
  recording = null;
  at("new-form").hidden = false;
  const poor = well !== null && well < WELL;
  const seen = poor ? ` You were well in the picture only ${Math.round(100 * well)} % of the time: better record it again.` : "";
  at("new-film").className = poor ? "note warn" : "note";
  write(at("new-film"), `${file.name}, ${(file.size / 1e6).toFixed(1)} MB.${seen}`);
  at("new-name").focus();
}

async function begin() {
  at("sending").hidden = false;
  try {
    const query = new URLSearchParams({ name: film.name });
    // Sent once, however often what is asked for is refused
    recording ??= (await upload(`/api/recordings?${query}`, film, (share) => { at("sent").value = share; })).id;
    const shows = at("new-shows").value;
    await post("/api/creations", {
      name: at("new-name").value, recording, licence: at("new-licence").value, size: Number(at("new-size").value),
      minutes: Number(at("new-minutes").value) || null,
      consent: { shows, statement: at("new-statement").value, agreed_by: shows, how: "written" },
    });
    at("new-form").hidden = true;
    say("The subject is being made.");
  } catch (error) {
    if (error.status === 404) recording = null; // lsp-cam was started anew
    throw error;
  } finally {
    at("sending").hidden = true;
  }
  await list();
}

async function showMade(name) {
  await post("/api/switch", { subject: name });
  say(`Now showing ${name}.`);
}

// How it looks so far; the finished one as its bundle shows it.
function pictureOf(job) {
  if (job.state === "done") return `/api/subjects/${job.id}/picture`;
  return job.has_picture ? `/api/creations/${job.id}/picture?${Date.now()}` : null;
}

function wordsOf(job) {
  if (job.state === "running") return [job.step || "Beginning…", job.left ? `${job.left} left` : ""].filter(Boolean).join(", ");
  return STATES[job.state] + (job.state === "done" ? "" : job.message);
}

function card(job) {
  const button = (label, press, kind = "") => make("button", { type: "button", class: kind, onclick: () => press().then(list).catch(complain) }, label);
  const act = (what, label) => button(label, () => post(`/api/creations/${job.id}/${what}`));
  const acts = { running: () => [act("cancel", "Stop for now")], done: () => [button("Show it", () => showMade(job.id), "main"), act("delete", "Put away")] };
  return make("article", { class: "making", "data-name": job.id, "data-state": job.state }, make("h3", {}, job.title),
    make("img", { alt: `What ${job.title} looks like`, hidden: true }), make("p", { role: "status" }),
    make("progress", { max: 1, value: 0, "aria-label": `How far ${job.title} is`, hidden: job.state !== "running" }),
    make("div", { class: "row" }, ...(acts[job.state]?.() ?? [act("resume", "Go on"), act("delete", "Delete")])));
}

// What is new goes into a card that stays, for it may have the focus, and its picture would flicker.
function refresh(one, job) {
  const now = JSON.stringify(job);
  if (one.dataset.told === now) return;
  one.dataset.told = now;
  const [image, bar] = [one.querySelector("img"), one.querySelector("progress")];
  const picture = pictureOf(job);
  image.hidden = picture === null;
  if (picture) image.src = picture;
  bar.value = job.share;
  write(one.querySelector("[role=status]"), wordsOf(job));
}

async function list() {
  const jobs = await get("/api/creations").catch(() => null);
  if (!jobs) return;
  const old = [...at("creations").children];
  const cards = jobs.map((job) => old.find((one) => one.dataset.name === job.id && one.dataset.state === job.state) ?? card(job));
  cards.forEach((one, place) => refresh(one, jobs[place]));
  if (cards.length !== old.length || cards.some((one, place) => one !== old[place])) at("creations").replaceChildren(...cards);
}

export function start() {
  build();
  at("new").addEventListener("chosen", list);
  setInterval(() => { if (!document.hidden && !at("new").hidden) list(); }, EVERY_MS);
}
