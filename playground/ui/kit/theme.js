/*
 * What the browser does beside Gradio: light and dark, the language before the first answer, Gradio's own words in it, the
 * order of answers, the place in a long page, figures that fit, menus that close, text fields that tell of every change.
 *
 * LANGUAGES, WORDS, OURS and PUBLIC are filled in by theme.py: codes; for each language Gradio's fixed English words beside
 * ours; what this script says itself; the page's public address on a Space.
 */
(() => {
  const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)");
  const address = () => new URL(location.href);

  /* The language: of the address, then the browser's, as the server chooses (locales.choose) */

  const wishes = [address().searchParams.get("lang"), ...navigator.languages];
  const codes = wishes.map(wish => (wish || "").toLowerCase().split(/[-_]/)[0]);
  const language = codes.find(code => LANGUAGES.includes(code)) || LANGUAGES[0];
  root.lang = language;
  try { localStorage.removeItem("peft-playground-language"); } catch {} // an earlier visit's: nobody may ask in that

  /* What is drawn last answers what was asked last: Gradio lets changes of one moment overtake each other, so that the
   * answer to a form that is half filled in may come after the answer to the whole one. All get the last one's. */

  const fetched = window.fetch, underway = new Map(); // by handler: the last request, and how many are not answered
  window.fetch = async (input, init) => {
    const drawing = /\/gradio_api\/run\//.test(input?.url || input) && typeof init?.body === "string";
    if (!drawing) return fetched(input, init);
    const { fn_index } = JSON.parse(init.body), asked = underway.get(fn_index) || { waiting: 0 };
    underway.set(fn_index, asked);
    asked.waiting += 1;
    asked.last = fetched(input, init);
    try {
      let last, answer;
      do answer = await (last = asked.last); while (last !== asked.last);
      return answer.clone();
    } finally {
      if (!--asked.waiting) underway.delete(fn_index);
    }
  };

  /* Gradio tells each component which of its events somebody hears, and reads the targets of all events for each: more than
   * a third of what it takes to open this page, which has many of both. Read once they give the same names. */

  const readOnce = tree => {
    const { find_attached_events: find, postprocess } = tree || {};
    if (!find || !postprocess) return;
    let heard = null; // in the tree that is made now: of each component, the names
    tree.postprocess = function (...given) {
      heard = null;
      return postprocess.apply(this, given);
    };
    tree.find_attached_events = (node, events) => {
      heard ||= events.reduce((names, { targets }) => {
        const first = new Map([...targets].reverse()); // an event that has a component twice counts once
        for (const [id, name] of first) if (name) names.set(id, [...(names.get(id) || []), name]);
        return names;
      }, new Map());
      node.props.shared_props.attached_events = heard.get(node.id) || [];
      return node;
    };
  };

  // Gradio's own words follow the browser alone; the module that holds them is already there
  const core = performance.getEntriesByType("resource").map(one => one.name).find(name => /\/core-[^/]*\.js$/.test(name));
  if (core) import(core).then(gradio => {
    gradio.changeLocale?.(language);
    readOnce(gradio.AppTree?.prototype);
  });

  // What Gradio says in English in every language
  const escaped = text => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const fixed = (WORDS[language] || []).map(([theirs, ours]) => {
    const names = [...theirs.matchAll(/{(\w+)}/g)].map(found => found[1]);
    const pattern = new RegExp("^" + theirs.split(/{\w+}/).map(escaped).join("(.*)") + "$", "s");
    return [pattern, found => names.reduce((text, name, place) => text.replace(`{${name}}`, () => found[place + 1]), ours)];
  });
  const said = text => {
    for (const [pattern, ours] of fixed) {
      const found = text.trim().match(pattern);
      if (found) return ours(found);
    }
    return null;
  };
  const SPOKEN = ["aria-label", "title", "alt", "placeholder", "data-title"];
  const translateElement = element => {
    for (const name of SPOKEN) {
      const ours = element.hasAttribute(name) ? said(element.getAttribute(name)) : null;
      if (ours !== null) element.setAttribute(name, ours);
    }
  };
  // Sizes of files, which it writes as 13.0 B and with a point everywhere
  const sized = text => text.replace(/^(\d+)\.(\d)(?=\s([KMGP]?)B\b)/, (_, whole, tenth, unit) =>
    unit ? whole + (language === "es" ? "," : ".") + tenth : whole);
  const translateText = node => {
    if (!node.parentElement || node.parentElement.closest(".html-container, textarea, code, .cm-editor, style, script")) return;
    const ours = said(node.data) ?? sized(node.data);
    if (ours !== node.data) node.data = ours;
  };
  const translate = node => {
    if (node.nodeType === Node.TEXT_NODE) return translateText(node);
    if (node.nodeType !== Node.ELEMENT_NODE || node.closest(".html-container")) return;
    translateElement(node);
    node.querySelectorAll(SPOKEN.map(name => `[${name}]`).join()).forEach(translateElement);
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) translateText(texts.currentNode);
  };

  /* A number that its field cannot hold: the browser says what it takes, while it is typed (the server refuses it too) */

  const written = number => {
    const [whole, part] = Number(number).toLocaleString("en", { maximumFractionDigits: 6 }).split(".");
    const spanish = language === "es", long = whole.replace(/\D/g, "").length > 4;
    return ((spanish ? whole.replaceAll(",", long ? "\u00a0" : "") : whole) + (part ? (spanish ? "," : ".") + part : "")).replace("-", "−");
  };
  const isWhole = field => Number.isInteger(Number(field.step || 1));
  const isEmpty = field => Number.isNaN(field.valueAsNumber);
  const isWrong = field => {
    const value = field.valueAsNumber;
    return value < field.min || value > field.max || (isWhole(field) && value % 1 !== 0 && !isEmpty(field));
  };
  const weigh = ({ target }) => {
    if (target.type !== "number" || !target.min || !target.max) return;
    const wrong = isWrong(target) || isEmpty(target), words = OURS[language][isWhole(target) ? "number.whole" : "number.any"];
    target.setCustomValidity(wrong ? words.replace("{minimum}", written(target.min)).replace("{maximum}", written(target.max)) : "");
    if (isWrong(target)) target.reportValidity(); // an empty one is about to be filled
  };

  /* What is half typed beside a slider, Gradio does not hear of: it asks for every key. When the field is left, it holds the
   * nearest number that the slider has, or what the slider stands at if it is empty, and Gradio hears of that. */

  const sliderOf = field => field.type === "number" ? field.closest(".block")?.querySelector("input[type=range]") : null;
  const isHalf = field => isEmpty(field) || isWrong(field);
  const settle = ({ target }) => {
    const slider = sliderOf(target);
    if (!slider) return;
    if (!isHalf(target)) return weigh({ target }); // Gradio may have put another number there
    const value = isEmpty(target) ? slider.valueAsNumber : target.valueAsNumber;
    const inside = Math.min(Math.max(value, target.min), target.max);
    target.value = isWhole(target) ? Math.round(inside) : inside;
    target.dispatchEvent(new Event("input", { bubbles: true }));
  };
  document.addEventListener("input", event => {
    weigh(event);
    if (sliderOf(event.target) && isHalf(event.target)) event.stopPropagation();
  }, true);
  for (const left of ["change", "focusout"]) document.addEventListener(left, settle, true);

  /* Light and dark: the visitor's choice, then the address (Spaces add ?__theme=), then the system */

  let chosen = null;
  try { chosen = localStorage.getItem("pp-theme"); } catch {}
  let printing = false; // paper is light
  const wanted = () => {
    if (printing) return "light";
    const wish = chosen || address().searchParams.get("__theme");
    return wish === "dark" || wish === "light" ? wish : system.matches ? "dark" : "light";
  };
  const paint = () => {
    const dark = wanted() === "dark", page = printing ? "#fff" : dark ? "DARK" : "LIGHT";
    root.style.colorScheme = wanted();
    for (const name of ["--bg", "--bg-dark"]) root.style.setProperty(name, page);
    const body = document.body;
    if (body && body.classList.contains("dark") !== dark) body.classList.toggle("dark", dark);
  };

  /* On paper: light, without Gradio's own foot, below it the address (theme.css) */

  const onPaper = now => {
    printing = now;
    paint();
    root.style.setProperty("--pp-address", JSON.stringify(PUBLIC ? PUBLIC + location.search + location.hash : location.href));
    for (const foot of document.querySelectorAll("footer")) foot.hidden = now;
  };
  addEventListener("beforeprint", () => onPaper(true));
  addEventListener("afterprint", () => onPaper(false));

  /* The place in a long page, kept when the language is switched */

  const PLACE = "pp-place";
  const sections = () => [...document.querySelectorAll("[id^=section-]")].filter(one => one.offsetParent);
  const keepPlace = () => {
    const passed = sections().filter(one => one.getBoundingClientRect().top <= 80).pop();
    const place = passed ? { id: passed.id, below: -passed.getBoundingClientRect().top } : { below: scrollY };
    try { sessionStorage.setItem(PLACE, JSON.stringify(place)); } catch {}
  };
  const seekPlace = () => {
    let place = null;
    try { place = JSON.parse(sessionStorage.getItem(PLACE)); sessionStorage.removeItem(PLACE); } catch {}
    if (!place && location.hash === "#glossary") place = { id: location.hash.slice(1), below: 0 };
    if (!place) return;
    const go = () => {
      const from = place.id ? document.getElementById(place.id) : root;
      if (from?.offsetParent || !place.id) scrollTo(0, scrollY + (place.id ? from.getBoundingClientRect().top : -scrollY) + place.below);
    };
    const grown = new ResizeObserver(go); // what is above it is drawn one after the other
    const stop = () => grown.disconnect();
    grown.observe(document.body);
    for (const act of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(act, stop, { once: true, passive: true });
    setTimeout(stop, 15000);
  };

  /* Figures: plotly measures its card when it draws, which may be hidden then */

  const fit = new ResizeObserver(entries => {
    for (const { target, contentRect } of entries) {
      const plot = target.querySelector(".js-plotly-plot");
      if (plot?._fullLayout && contentRect.width && Math.abs(plot._fullLayout.width - contentRect.width) > 1) {
        window.Plotly?.Plots.resize(plot);
      }
    }
  });

  /* Tables that are wider than their card: where they go on, and keys can scroll them */

  root.style.setProperty("--pp-more", JSON.stringify(OURS[language]["table.more"]));

  /* A link to another tab: Compare, with which every page begins, is not what was asked for */

  if (!["compare", null].includes(address().searchParams.get("tab"))) {
    root.style.setProperty("--pp-arriving", JSON.stringify(OURS[language]["header.arriving"]));
    root.classList.add("pp-arriving");
    const settled = new MutationObserver(() => {
      if (!document.querySelector(".pp-header") || document.querySelector(".pp-opening")) return;
      settled.disconnect();
      root.classList.remove("pp-arriving");
    });
    settled.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
  }
  const mark = table => {
    const rest = table.scrollWidth - table.clientWidth;
    table.classList.toggle("pp-wide", rest > 1);
    table.classList.toggle("pp-more", rest - table.scrollLeft > 1);
    if (rest <= 1 || table.hasAttribute("aria-label")) return;
    const title = table.closest(".pp-card")?.querySelector("h2, h3")?.textContent || document.title;
    for (const [name, value] of [["tabindex", 0], ["role", "region"], ["aria-label", title]]) table.setAttribute(name, value);
  };
  const widths = new ResizeObserver(entries => entries.forEach(({ target }) => mark(target)));
  document.addEventListener("scroll", ({ target }) => target.classList?.contains("pp-scroll") && mark(target), true);

  /* Lists that open when nobody is there any more: Gradio hears a key late */

  const closeLeft = box => {
    const left = box.getAttribute("role") === "combobox" && box !== document.activeElement;
    if (left && box.getAttribute("aria-expanded") === "true") box.dispatchEvent(new FocusEvent("blur"));
  };

  /* Whatever Gradio adds later */

  const each = (node, selector, act) => {
    if (node.matches(selector)) act(node);
    node.querySelectorAll(selector).forEach(act);
  };
  const arrived = node => {
    translate(node);
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    each(node, ".js-plotly-plot", plot => fit.observe(plot.parentElement));
    each(node, ".pp-scroll", table => widths.observe(table));
    each(node, "label > input[title]", box => box.removeAttribute("title")); // an id; the words stand beside it
    each(node, ".upload-container", box => box.removeAttribute("aria-label")); // it says something else than what is seen
  };
  const changed = changes => {
    for (const change of changes) {
      if (change.attributeName === "aria-expanded") closeLeft(change.target);
      else if (change.type === "attributes") translateElement(change.target);
      else if (change.type === "characterData") translateText(change.target);
      else change.addedNodes.forEach(arrived);
    }
  };
  const start = () => {
    paint();
    new MutationObserver(paint).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    const kinds = { subtree: true, childList: true, characterData: true, attributes: true };
    new MutationObserver(changed).observe(document.body, { ...kinds, attributeFilter: [...SPOKEN, "aria-expanded"] });
    arrived(document.body);
    seekPlace();
  };

  paint();
  if (document.body) start(); else document.addEventListener("DOMContentLoaded", start);
  system.addEventListener("change", paint);

  // The tab that is open stands in the address, and the section of a lab, so that a reload opens them again
  const standIn = (tab, section) => {
    const here = address(), query = here.searchParams;
    if ((query.get("tab") || "compare") === tab && query.get("section") === section) return;
    for (const name of [...query.keys()]) if (name.includes(".")) query.delete(name); // of the section that was open
    const reader = tab === "learn" && document.querySelector(".pp-teacher") ? "teachers" : null; // whose page Learn shows
    for (const [name, value] of [["tab", tab === "compare" ? null : tab], ["section", section], ["for", reader]]) {
      value ? query.set(name, value) : query.delete(name);
    }
    here.hash = "";
    history.replaceState(history.state, "", here);
  };

  document.addEventListener("click", event => {
    if (event.target.closest("[data-pp-language]")) keepPlace();
    const pressed = event.target.closest("#tabs [role=tab]"), list = pressed?.closest(".pp-sections");
    const tab = pressed && (list ? list.id.replace("-sections", "") : pressed.dataset.tabId);
    const open = tab && document.querySelector(`#${tab}-sections > .tab-wrapper [role=tab][aria-selected=true]`);
    if (tab) standIn(tab, (list ? pressed : open)?.dataset.tabId ?? null);
    if (event.target.closest(".pp-close")) event.target.closest("[role=alert]").remove();
    if (event.target.closest(".pp-theme")) {
      chosen = wanted() === "dark" ? "light" : "dark";
      try { localStorage.setItem("pp-theme", chosen); } catch {}
      paint();
    }
  });

  /* Text that changes: Gradio listens to each key press, and so misses what is pasted, dropped, filled in or erased */

  const REST = 250; // milliseconds after which a field rests: half a number is not what anybody asks about
  const isText = field => field.matches?.("[data-testid=textbox]");
  const resting = new Map();
  const tell = field => {
    clearTimeout(resting.get(field));
    if (resting.delete(field)) field.dispatchEvent(new KeyboardEvent("keypress"));
  };
  document.addEventListener("keypress", event => {
    if (isText(event.target) && event.isTrusted && event.key !== "Enter") event.stopPropagation();
  }, true);
  document.addEventListener("input", ({ target }) => {
    if (!isText(target)) return;
    clearTimeout(resting.get(target));
    resting.set(target, setTimeout(tell, REST, target));
  });
  document.addEventListener("focusout", ({ target }) => tell(target));

  // Gradio's lists open at any key, Tab too, and hear it after it has left them: they had better not hear it
  document.addEventListener("keydown", event => {
    if (event.key === "Tab" && event.target.getAttribute?.("role") === "combobox") event.stopPropagation();
  }, true);

  // What is filled in before the server has said who opens the page would be overwritten; theme.css holds the pointer
  document.addEventListener("keydown", event => {
    if (event.key === "Tab" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!event.target.closest?.("#tabs") || !document.querySelector(".pp-opening")) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
})();
