// Who can be shown, and showing them.
import { get, post } from "./api.js";
import { at, complain, make, say, write } from "./dom.js";

let onAir = null;
let listed = "";

function card(subject) {
  const picture = subject.has_picture
    ? make("img", { src: `/api/subjects/${encodeURIComponent(subject.name)}/picture`, alt: "", loading: "lazy" })
    : make("span", { class: "blank" });
  const words = subject.problem ?? (subject.has_consent ? subject.shows : `${subject.shows}: no consent on record`);
  return make("button", { class: "card", type: "button", "aria-pressed": subject.name === onAir, disabled: subject.problem !== null,
    onclick: () => choose(subject) }, picture, make("strong", {}, subject.name), make("span", { class: "quiet" }, words));
}

async function list() {
  const found = await get("/api/subjects").catch(() => null);
  const now = JSON.stringify([found, onAir]);
  if (!found || now === listed) return;
  listed = now;
  at("gallery").replaceChildren(...found.map(card));
}

async function choose(subject) {
  if (subject.name === onAir) return;
  const waived = !subject.has_consent && await answers(subject);
  if (!subject.has_consent && !waived) return;
  write(at("switching"), `Loading ${subject.title}…`);
  try {
    await post("/api/switch", { subject: subject.name, waived });
    say(`Now showing ${subject.title}.`);
  } catch (error) {
    complain(error);
  }
  write(at("switching"), "");
}

// Whether the user answers for showing somebody whose consent the bundle lacks.
function answers(subject) {
  const dialog = make("dialog", { "aria-label": "Whose face" }, make("form", { method: "dialog" },
    make("p", {}, `'${subject.name}' shows ${subject.shows}, and there is no consent to that. Show this person only if you have the right to: you answer for it, and the pictures are marked.`),
    make("div", { class: "row" }, make("button", { value: "yes" }, "I have the right"), make("button", { value: "no", class: "main" }, "Do not show"))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((end) => dialog.addEventListener("close", () => {
    dialog.remove();
    end(dialog.returnValue === "yes");
  }));
}

export function show(status) {
  const changed = status.subject !== onAir;
  onAir = status.subject;
  if (changed) list();
}

export function start() {
  at("subjects").append(make("section", { "aria-labelledby": "gallery-title" },
    make("h2", { id: "gallery-title" }, "Who is shown"),
    make("div", { id: "gallery" }),
    make("p", { id: "switching", class: "quiet", role: "status" }),
    make("p", { class: "quiet" }, "Another one takes over from one picture to the next; nobody's camera is interrupted.")));
  at("subjects").addEventListener("chosen", list);
}
