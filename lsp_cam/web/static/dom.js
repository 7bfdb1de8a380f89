// Elements without a framework.
export const at = (id) => document.getElementById(id);

// make("p", { class: "quiet", onclick: f, "aria-label": "…" }, "words", child, …)
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[name] = value;
    else if (name.startsWith("aria-")) element.setAttribute(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function write(element, text) {
  if (element.textContent !== text) element.textContent = text; // a screen reader would read it again
}

export function say(text) {
  at("told").textContent = text;
}

// A press that takes a while: the button rests meanwhile, and what fails is shown.
export function pressing(button, work) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      complain(error);
    } finally {
      button.disabled = false;
      if (document.activeElement === document.body) button.focus();
    }
  });
}

let complaint = null;

export function complain(error) {
  complaint?.remove();
  complaint = make("li", {}, error.message, make("button", { type: "button", onclick: () => complaint.remove() }, "Dismiss"));
  at("warnings").append(complaint);
  complaint.scrollIntoView({ block: "nearest" }); // on a telephone they are far above the button that was pressed
}
