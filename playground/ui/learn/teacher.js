/*
 * The teacher's page: what its buttons do, links that lock controls, and the files of a class, read and drawn in this
 * browser: nothing of them is sent.
 *
 * tab.py puts HERE, NOTHING and stand before it; what it needs of lessons and words, teacher_html.py writes beside the HTML.
 */
const page = () => element.querySelector(".pp-teacher");
const said = (key, values) => {
  const words = JSON.parse(page().dataset.said)[key];
  return words.replace(/{(\w+)}/g, (_, name) => values[name]);
};
const made = (tag, kind, ...inside) => {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  node.append(...inside);
  return node;
};

/* Paper: the sheets of a kind, of one lesson or of all; without a kind the page as it is */

const print = ({ kind, of }) => {
  const chosen = [...element.querySelectorAll(".pp-sheet")];
  const isAsked = sheet => sheet.dataset.kind === kind && (of === "all" || sheet.dataset.of === of);
  for (const sheet of chosen) sheet.classList.toggle("pp-on-paper", isAsked(sheet));
  page().classList.toggle("pp-prints-sheets", Boolean(kind));
  window.print();
};
addEventListener("afterprint", () => page()?.classList.remove("pp-prints-sheets"));

/* The files: columns, lessons and choices as the server writes them; a file counts as a whole or not at all */

let counted = { files: 0, guesses: {} };
const lessons = () => JSON.parse(element.querySelector(".pp-class").dataset.lessons);
const isGuess = (lesson, guess) => lesson.codes ? lesson.codes.includes(guess)
  : guess.trim() && Number(guess) >= lesson.minimum && Number(guess) <= lesson.maximum;
const read = (text, known) => {
  const [head, ...lines] = text.replace(/^\uFEFF/, "").trimEnd().split(/\r?\n/);
  const columns = page().dataset.columns, found = {};
  if (head !== columns || !lines.length) return { wrong: 1 };
  for (const [place, line] of lines.entries()) {
    const cells = line.split(","), [lesson, guess] = cells, one = Object.hasOwn(known, lesson) ? known[lesson] : null;
    if (cells.length !== columns.split(",").length || !one || lesson in found || !isGuess(one, guess)) return { wrong: place + 2 };
    found[lesson] = guess;
  }
  return { found };
};
const LARGEST = 20000; // bytes; a file of ours has less than 2000
const add = async files => {
  const known = lessons(), bad = element.querySelector(".pp-class-bad");
  bad.replaceChildren();
  for (const file of files) {
    const { found, wrong } = file.size > LARGEST ? { wrong: 1 } : read(await file.text(), known);
    if (wrong) bad.append(made("li", "", said("bad", { name: file.name, line: wrong })));
    else counted.files += 1;
    for (const [lesson, guess] of Object.entries(found || {})) (counted.guesses[lesson] ||= []).push(guess);
  }
  draw(known);
};

/* The drawings: a bar for each choice, or a dot for each number, beside what is right */

const written = number => number.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 3 });
const bars = (lesson, guesses) => {
  const counts = lesson.codes.map(code => guesses.filter(guess => guess === code).length), largest = Math.max(...counts);
  return made("ul", "pp-lesson-bars", ...counts.map((count, place) => {
    const label = made("span", "", lesson.labels[place]), length = made("span", "pp-length-of", made("i"));
    if (place === lesson.right) label.append(" ", made("b", "pp-right", lesson.origin));
    length.firstChild.style.width = `${100 * count / largest}%`;
    return made("li", place === lesson.right ? "pp-is-right" : "", label, length, made("b", "", written(count)));
  }));
};
const dots = (lesson, guesses) => {
  const line = made("div", "pp-dots-line"), heights = new Map(), numbers = guesses.map(Number).sort((a, b) => a - b);
  const left = number => `${100 * (number - lesson.minimum) / (lesson.maximum - lesson.minimum)}%`;
  for (const number of numbers) {
    const dot = made("i"), column = Math.round(60 * (number - lesson.minimum) / (lesson.maximum - lesson.minimum));
    heights.set(column, (heights.get(column) || 0) + 1);
    dot.style.left = left(number);
    dot.style.bottom = `${10 * (heights.get(column) - 1)}px`;
    line.append(dot);
  }
  const answer = made("b", "pp-right");
  answer.style.left = left(lesson.answer);
  line.append(answer);
  line.style.height = `${10 * Math.max(3, ...heights.values()) + 8}px`;
  const ends = made("p", "pp-ends pp-soft pp-small", made("span", "", written(lesson.minimum)), made("span", "", written(lesson.maximum)));
  const half = numbers.length / 2, middle = (numbers[Math.ceil(half) - 1] + numbers[Math.floor(half)]) / 2;
  const values = { median: written(middle), unit: lesson.unit, answer: lesson.answered, origin: lesson.origin };
  return made("div", "pp-numbers", line, ends, made("p", "pp-small", said("number", values)));
};
const draw = known => {
  const drawn = Object.entries(known).filter(([id]) => counted.guesses[id]).map(([id, lesson]) => {
    const guesses = counted.guesses[id], head = made("h3", "", lesson.title);
    if (lesson.codes) {
      const right = guesses.filter(guess => guess === lesson.codes[lesson.right]).length;
      const values = { right: written(right), count: written(guesses.length) };
      head.append(" ", made("span", "pp-soft pp-small", said("of", values)));
    }
    const figure = made("div", "pp-class-lesson", head, made("p", "pp-soft pp-small", lesson.ask));
    figure.dataset.of = id;
    figure.append(lesson.codes ? bars(lesson, guesses) : dots(lesson, guesses));
    return figure;
  });
  const guesses = Object.values(counted.guesses).flat().length;
  element.querySelector(".pp-class-drawn").replaceChildren(...drawn);
  element.querySelector(".pp-class-again").hidden = !counted.files;
  element.querySelector(".pp-class-count").textContent = counted.files
    ? said("count", { files: written(counted.files), guesses: written(guesses) }) : "";
};
const forget = () => {
  counted = { files: 0, guesses: {} };
  element.querySelector(".pp-class-bad").replaceChildren();
  draw({});
  element.querySelector(".pp-drop input").focus();
};

/* The link that locks or hides: the one that was given, or else to the section of the first control that is chosen */

const lock = area => {
  const given = area.querySelector("[type=url]"), copy = area.querySelector("button");
  const chosen = [...area.querySelectorAll("[name=lock]:checked")], how = area.querySelector("[name=how]:checked").value;
  const wrong = given.value && !URL.canParse(given.value);
  given.setAttribute("aria-invalid", Boolean(wrong));
  copy.hidden = wrong || !chosen.length;
  if (!copy.hidden) {
    const link = new URL(given.value || `${HERE}?${chosen[0].closest("[data-place]").dataset.place}`);
    const before = (link.searchParams.get(how) || "").split(",").filter(Boolean);
    link.searchParams.set(how, [...new Set([...before, ...chosen.map(one => one.value)])].join(","));
    copy.dataset.copy = link.href.replaceAll("%2C", ",");
  }
  area.querySelector(".pp-link").textContent = wrong ? said("no_link") : copy.hidden ? said("none") : copy.dataset.copy;
};

/* Buttons and files */

const acts = { print, forget };
const copy = async button => {
  await navigator.clipboard.writeText(button.dataset.copy);
  button.parentElement.querySelector("[role=status]:last-child").textContent = said("copied");
};
element.addEventListener("click", event => {
  const step = event.target.closest("a[data-lesson]"), button = event.target.closest("button");
  if (step && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    const lesson = step.dataset.lesson || null;
    stand({ lesson, for: null });
    trigger("select", { ...NOTHING, lesson });
  }
  if (!button) return;
  if (button.dataset.act) acts[button.dataset.act](button.dataset);
  if (button.dataset.copy) copy(button);
  if (button.hasAttribute("aria-controls")) {
    const shown = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", !shown);
    element.querySelector(`#${button.getAttribute("aria-controls")}`).hidden = shown;
  }
});
element.addEventListener("change", ({ target }) => {
  if (["lock", "how"].includes(target.name)) lock(target.closest(".pp-locking"));
  if (target.type !== "file") return;
  add([...target.files]);
  target.value = ""; // the same file may be chosen again
});
element.addEventListener("input", ({ target }) => {
  if (target.type === "url") lock(target.closest(".pp-locking"));
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  element.addEventListener(kind, event => {
    const zone = event.target.closest(".pp-drop");
    event.preventDefault(); // a file that misses the zone would open in place of the page
    if (zone) zone.classList.toggle("pp-over", kind === "dragenter" || kind === "dragover");
    if (zone && kind === "drop") add([...event.dataTransfer.files]);
  });
}
watch("value", () => requestAnimationFrame(() => {
  counted = { files: 0, guesses: {} }; // another page, or the same in another language
  element.querySelector("h2")?.scrollIntoView({ block: "nearest" });
}));
