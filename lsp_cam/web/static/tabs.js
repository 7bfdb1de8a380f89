// Tabs after the pattern that screen readers know: arrows move, the chosen one is in the address.
import { at } from "./dom.js";

const tabs = [...at("tabs").children];

const address = (tab) => `#tab=${tab.getAttribute("aria-controls")}`; // no element's id, or the page would jump to it

function choose(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    at(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  history.replaceState(null, "", address(tab));
  at(tab.getAttribute("aria-controls")).dispatchEvent(new Event("chosen"));
}

export function startTabs() {
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  }
  choose(tabs.find((tab) => address(tab) === location.hash) ?? tabs[0]);
}
