/*
 * What is seen as files: every drawing as SVG and PNG, every table as CSV, in the fold below the page (saving.py), which lists
 * them when it opens. Drawings take the colours and fonts that the page gives them along, and say what they are. What is no
 * table, or was rounded to be drawn, has its rows as JSON in `data-rows` (pieces.rows).
 */
(() => {
  const SMALLEST = [100, 40]; // pixels of a drawing; what is smaller is a mark
  const EDGE = 12, SHARP = 2, LINE = 22; // pixels around a drawing; a PNG's per pixel; of a line above a drawing
  const LOOKS = [
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin",
    "opacity", "color", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "dominant-baseline",
    "letter-spacing", "visibility", "display", "paint-order", "vector-effect", "shape-rendering", "image-rendering",
    "transform", "transform-origin", "transform-box", "mix-blend-mode", "overflow", "stop-color", "stop-opacity",
  ];
  const SVG = "http://www.w3.org/2000/svg";

  const give = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href));
  };
  const seen = one => one.checkVisibility({ visibilityProperty: true }) && one.getBoundingClientRect().width > 0;
  const stem = words => words.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60).toLowerCase();

  /* Which there are: what is called by its own words, by those of its card, or by its number */

  const TITLES = "h2, h3, p > b:first-child, figcaption b";
  const before = (one, other) => one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_PRECEDING;
  const heading = one => {
    const titles = [...one.closest("[role=tabpanel]").querySelectorAll(TITLES)];
    return titles.filter(title => seen(title) && before(one, title)).at(-1)?.textContent.replace(/\.\s*$/, "");
  };
  const listed = () => {
    const page = document.querySelector("#tabs"), found = [], taken = new Set();
    const add = (kind, one, own) => {
      const name = (own || heading(one) || "").trim().replace(/\s+/g, " ").slice(0, 70);
      let unique = name || "1";
      for (let count = 2; taken.has(unique); count++) unique = `${name} ${count}`.trim();
      taken.add(unique);
      found.push({ kind, one, name: unique });
    };
    for (const one of page.querySelectorAll("svg, .js-plotly-plot, table, [data-rows]")) {
      const plot = one.matches(".js-plotly-plot"), box = one.getBoundingClientRect();
      if (!seen(one) || one.closest(".table-wrap, .file-preview")) continue; // Gradio's own tables hold what is typed and which file
      if (one.matches("[data-rows]:not(svg)")) add("rows", one, one.getAttribute("aria-label"));
      else if (one.matches("table")) add("table", one, one.closest("[role=region]")?.getAttribute("aria-label"));
      else if (plot) add("figure", one, one.querySelector(".gtitle")?.textContent);
      else if (!one.closest(".js-plotly-plot, button, summary, label, svg svg") && box.width >= SMALLEST[0] && box.height >= SMALLEST[1])
        add(one.dataset.rows ? "points" : "figure", one);
    }
    return found;
  };

  /* A drawing by itself */

  const dressed = drawing => {
    const copy = drawing.cloneNode(true), copies = copy.querySelectorAll("*");
    const dress = (from, to) => {
      const looks = getComputedStyle(from);
      to.setAttribute("style", LOOKS.map(name => `${name}:${looks.getPropertyValue(name)}`).join(";"));
      for (const name of [...to.attributes].map(({ name }) => name)) if (/^on|^class$/.test(name)) to.removeAttribute(name);
    };
    dress(drawing, copy);
    drawing.querySelectorAll("*").forEach((from, place) => dress(from, copies[place]));
    copy.style.overflow = "visible";
    return copy;
  };
  const said = (words, y, size, weight) => {
    const line = document.createElementNS(SVG, "text"), looks = getComputedStyle(document.querySelector(".pp-saving"));
    line.textContent = words;
    line.setAttribute("style", `font:${weight} ${size}px ${looks.fontFamily};fill:${looks.color}`);
    line.setAttribute("x", EDGE);
    line.setAttribute("y", y);
    return line;
  };
  const drawn = (one, name) => {
    const above = [one.querySelector(".gtitle") ? "" : name, one.dataset.y].filter(Boolean);
    const layers = one.matches("svg") ? [one] : [...one.querySelectorAll("svg.main-svg")];
    const boxes = layers.flatMap(layer => [layer, ...layer.querySelectorAll("text, path, line, rect, circle, image")])
      .map(part => part.getBoundingClientRect()).filter(({ width, height }) => width || height);
    const left = Math.min(...boxes.map(box => box.left)) - EDGE;
    const top = Math.min(...boxes.map(box => box.top)) - EDGE - LINE * above.length;
    const width = Math.ceil(Math.max(...boxes.map(box => box.right)) - left + EDGE);
    const height = Math.ceil(Math.max(...boxes.map(box => box.bottom)) - top + EDGE);
    const whole = document.createElementNS(SVG, "svg"), paper = document.createElementNS(SVG, "rect");
    whole.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const [name, value] of Object.entries({ width, height })) {
      whole.setAttribute(name, value);
      paper.setAttribute(name, value);
    }
    paper.setAttribute("fill", getComputedStyle(document.querySelector(".pp-saving")).backgroundColor);
    const room = width - 2 * EDGE;
    whole.append(paper, ...above.map((words, place) => {
      const [most, weight] = words === name ? [15, 600] : [12, 400];
      return said(words, EDGE + LINE * place + 12, Math.min(most, 1.8 * room / words.length), weight);
    }));
    for (const layer of layers) {
      const copy = dressed(layer), box = layer.getBoundingClientRect();
      const place = { x: box.left - left, y: box.top - top, width: box.width, height: box.height };
      for (const [name, value] of Object.entries(place)) copy.setAttribute(name, value);
      whole.append(copy);
    }
    return { width, height, text: new XMLSerializer().serializeToString(whole) };
  };
  const svg = (one, name) => new Blob([drawn(one, name).text], { type: "image/svg+xml" });
  const png = async (one, name) => {
    const { width, height, text } = drawn(one, name), image = new Image(), canvas = document.createElement("canvas");
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    canvas.width = SHARP * width;
    canvas.height = SHARP * height;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise(resolve => canvas.toBlob(resolve, "image/png"));
  };

  /* A table */

  const cell = words => {
    const safe = /^[=@+]/.test(words) || /^-(?![\d.,])/.test(words) ? `'${words}` : words; // a spreadsheet computes what begins so
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const plain = ({ innerText }) => innerText.replace(/\s+/g, " ").trim();
  const row = ({ cells }) => [...cells].flatMap(one => [plain(one), ...Array(one.colSpan - 1).fill("")]);
  const file = rows =>
    new Blob([rows.map(one => `${one.map(cell).join(",")}\r\n`).join("")], { type: "text/csv;charset=utf-8" });
  const csv = table => file([...table.rows].map(row));
  const told = one => file(JSON.parse(one.dataset.rows).map(cells => cells.map(value => String(value ?? ""))));

  /* The fold */

  const drawing = { SVG: svg, PNG: png };
  const FORMS = { figure: drawing, points: { ...drawing, CSV: told }, table: { CSV: csv }, rows: { CSV: told } };
  const fill = fold => {
    const list = fold.querySelector("ul"), found = listed();
    list.replaceChildren(...found.map(({ kind, one, name }) => {
      const item = document.createElement("li"), said = document.createElement("span");
      said.textContent = name;
      item.append(said, ...Object.entries(FORMS[kind]).map(([form, made]) => {
        const button = document.createElement("button");
        button.textContent = form;
        button.setAttribute("aria-label", `${form}: ${name}`);
        button.onclick = async () => give(await made(one, name), `${stem(name) || kind}.${form.toLowerCase()}`);
        return button;
      }));
      return item;
    }));
    fold.querySelector("p").hidden = found.length > 0;
  };
  document.addEventListener("toggle", ({ target }) => {
    if (target.matches?.(".pp-saving") && target.open) fill(target);
  }, true);
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-session]")) document.querySelector("#session-ask")?.click();
    const open = document.querySelector(".pp-saving[open]"); // another tab or section shows others
    if (open && target.closest("#tabs")) open.open = false;
  });
  window.ppSession = text => give(new Blob([text], { type: "application/json" }), "peft-playground-session.json");
})();
