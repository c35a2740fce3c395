"""
The other language, in JavaScript: the press in the header, and the way to the page in that language.
"""

from __future__ import annotations

from playground.ui.kit import links

# A click on another language: the address with everything that a link carries, and the tab that is open
SWITCH = """
element.addEventListener("click", event => {
  const link = event.target.closest("[data-pp-language]");
  if (!link) return;
  event.preventDefault();
  trigger("select", { language: link.lang });
});
"""
GO = """
query => {
  const now = new URLSearchParams(location.search), then = new URLSearchParams(query);
  for (const name of ["for", ...HELD(now)]) if (now.has(name)) then.set(name, now.get(name));
  const open = list => document.querySelector(list + " > .tab-wrapper [role=tab][aria-selected=true]")?.dataset.tabId;
  const tab = open("#tabs"), section = open(`#${tab}-sections`);
  const place = (tab === "compare" ? "" : "&tab=" + tab) + (section ? "&section=" + section : "");
  location.assign(location.pathname + "?" + then + place);
}
""".replace("HELD", links.HELD)
