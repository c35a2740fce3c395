/*
 * Terms of the glossary in the page's sentences: at most two words of one have a dotted line, each term once in a card, and
 * open their entry by click, touch or key. The list of glossary.py is where forms and sentences are read.
 */
(() => {
  const SENTENCES = [
    "p.pp-lead", "p.pp-soft:not([role=status])", "p.pp-legend", "p.pp-caption", "p.pp-measured", "p.pp-meaning", "p.pp-outcome",
    ".pp-said > p", ".pp-lesson > p", ".pp-claim > p", ".pp-facts dt", "thead th",
    ".info-text:not(.checkbox-container ~ *, .head *)", // right below a box or a slider a finger would hit that
  ].join();
  const SPARED = "a, b, button, code, summary, svg, [aria-hidden=true], .pp-glossary";
  const MOST = 2;

  /* Which words are terms: form → its <dt>, or null for a phrase in which the word means something else */

  let language = null, meant, pattern;
  const phrases = text => text.toLowerCase().split("|").filter(Boolean);
  const learn = list => {
    language = list.lang;
    if (location.hash === "#glossary") list.parentElement.open = true;
    meant = new Map();
    for (const term of list.querySelectorAll("dt")) {
      for (const form of phrases(term.dataset.forms)) meant.set(form, term);
      for (const phrase of phrases(term.dataset.otherwise)) meant.set(phrase, null);
    }
    const longest = [...meant.keys()].sort((one, other) => other.length - one.length);
    const any = longest.map(form => form.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    pattern = new RegExp(`(?<![\\p{L}\\p{N}_-])(?:${any})(?![\\p{L}\\p{N}_-])`, "giu");
  };

  /* Marking */

  const textsOf = sentence => {
    const found = [], texts = document.createTreeWalker(sentence, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) if (!texts.currentNode.parentElement.closest(SPARED)) found.push(texts.currentNode);
    return found;
  };
  const termsOf = sentence => {
    const found = new Map(), card = sentence.closest(".pp-card") || sentence;
    for (const node of textsOf(sentence)) {
      for (const { 0: word, index } of node.data.matchAll(pattern)) {
        const term = meant.get(word.toLowerCase());
        if (term && !found.has(term)) found.set(term, { node, index, word, term });
      }
    }
    return [...found.values()].filter(({ term }) => !card.querySelector(`[data-term="${term.dataset.id}"]`));
  };
  const dot = ({ node, index, word, term }) => {
    const button = document.createElement("button");
    const said = { type: "button", class: "pp-term", popovertarget: "pp-entry", "data-term": term.dataset.id };
    for (const [name, value] of Object.entries(said)) button.setAttribute(name, value);
    button.textContent = word;
    const rest = node.splitText(index);
    rest.splitText(word.length);
    rest.replaceWith(button);
  };
  const mark = sentence => {
    if (sentence.querySelector(".pp-term") || sentence.closest(SPARED)) return;
    const common = ({ term }) => "common" in term.dataset;
    const found = termsOf(sentence).filter(one => sentence.matches("p") || !common(one));
    const chosen = [...found].sort((one, other) => common(one) - common(other)).slice(0, MOST);
    found.reverse().filter(one => chosen.includes(one)).forEach(dot); // from the end: earlier places stay what they are
  };
  const markAll = () => {
    for (const one of document.querySelectorAll(".pp-term")) one.replaceWith(one.textContent);
    document.querySelectorAll(SENTENCES).forEach(mark);
  };
  const changed = changes => {
    const list = document.querySelector("#glossary dl");
    if (!list) return;
    if (list.lang !== language) {
      learn(list);
      return markAll();
    }
    const sentences = new Set();
    for (const { target, addedNodes } of changes) {
      for (const node of [target, ...addedNodes]) {
        const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
        if (element?.closest(SENTENCES)) sentences.add(element.closest(SENTENCES));
        if (node !== target) element?.querySelectorAll(SENTENCES).forEach(one => sentences.add(one));
      }
    }
    sentences.forEach(one => one.isConnected && mark(one));
  };

  /* The entry that is open */

  const entry = document.createElement("div");
  const said = { id: "pp-entry", popover: "auto", role: "dialog", "aria-labelledby": "pp-entry-term", tabindex: "-1" };
  for (const [name, value] of Object.entries(said)) entry.setAttribute(name, value);
  entry.innerHTML = '<b id="pp-entry-term"></b><p></p>';
  let opener = null;
  const isOpen = () => entry.matches(":popover-open");
  const place = () => {
    const { left, top, bottom } = opener.getClientRects()[0], { clientWidth, clientHeight } = document.documentElement;
    const under = bottom + 6, over = top - 6 - entry.offsetHeight;
    const fits = under + entry.offsetHeight <= clientHeight - 8 || over < 8;
    entry.style.left = `${scrollX + Math.max(8, Math.min(left, clientWidth - entry.offsetWidth - 8))}px`;
    entry.style.top = `${scrollY + (fits ? under : over)}px`;
  };
  const toggle = button => {
    const again = isOpen() && button === opener;
    if (isOpen()) entry.hidePopover();
    if (again) return;
    const term = document.querySelector(`#glossary dt[data-id="${button.dataset.term}"]`);
    entry.firstElementChild.textContent = term.textContent;
    entry.lastElementChild.textContent = term.nextElementSibling.textContent;
    opener = button;
    opener.focus(); // Safari gives a button that is clicked no focus, and Escape returns it there
    entry.showPopover();
    entry.focus({ preventScroll: true });
    place();
  };
  document.addEventListener("click", event => {
    const button = event.target.closest?.(".pp-term");
    if (!button) return;
    event.preventDefault(); // the popover's own way: it would show before it is filled
    toggle(button);
  });
  entry.addEventListener("keydown", ({ key }) => {
    if (key === "Tab") entry.hidePopover(); // the focus is back at the term and goes on from there
  });
  for (const moved of ["resize", "beforeprint"]) addEventListener(moved, () => isOpen() && entry.hidePopover());

  const start = () => {
    document.body.append(entry);
    const kinds = { subtree: true, childList: true, characterData: true };
    new MutationObserver(changed).observe(document.body, kinds);
    changed([]);
  };
  if (document.body) start(); else document.addEventListener("DOMContentLoaded", start);
})();
