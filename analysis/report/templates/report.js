"use strict";
// Inflates the libraries inside this page, draws the plots in the page's theme, and saves them as SVG or CSV.
const alkaliflow = (() => {
  const find = (id) => document.getElementById(id);
  const root = document.documentElement;
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const themeListeners = [];

  function bytesFromBase64(text) {
    const raw = atob(text.trim());
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
    return bytes;
  }

  async function inflate(text) {
    if (typeof DecompressionStream === "undefined") {
      throw new Error("this browser is too old for it (needs DecompressionStream, 2023 or later)");
    }
    const stream = new Blob([bytesFromBase64(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function loadScript(id) {
    const holder = find(id);
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(await inflate(holder.textContent));
    holder.remove();
    document.head.append(script);
  }

  const cssValue = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // "@col:NAME" stands for a column of data, "@css:NAME" for a colour of the theme.
  function resolve(node, columns) {
    if (typeof node === "string") {
      if (node.startsWith("@col:")) return columns[node.slice(5)] ?? [];
      if (node.startsWith("@css:")) return cssValue(node.slice(5));
      return node;
    }
    if (Array.isArray(node)) return node.map((item) => resolve(item, columns));
    if (node !== null && typeof node === "object") {
      return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, resolve(item, columns)]));
    }
    return node;
  }

  function themedLayout(layout) {
    const axis = { gridcolor: cssValue("--grid"), zerolinecolor: cssValue("--grid"), linecolor: cssValue("--line"), ticks: "outside", tickcolor: cssValue("--line"), automargin: true };
    const themed = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: cssValue("--text") },
      hoverlabel: { bgcolor: cssValue("--panel"), bordercolor: cssValue("--line"), font: { color: cssValue("--text") } },
      ...layout,
    };
    for (const key of Object.keys(themed)) {
      if (/^[xy]axis\d*$/.test(key)) themed[key] = { ...axis, ...themed[key] };
    }
    return themed;
  }

  const plots = JSON.parse(find("plot-data").textContent);
  const frames = [...document.querySelectorAll("figure[data-plot]")];
  const state = frames.map(() => 0);
  let ready = false;

  function figureOf(index) {
    const plot = plots[index];
    const figure = plot.figures[state[index]];
    return { data: resolve(figure.data, plot.columns), layout: themedLayout(resolve(figure.layout, plot.columns)) };
  }

  // Panels side by side go below each other where there is no room for them.
  function stackPanels(layout, count) {
    const gap = 0.16;
    const height = (1 - gap * (count - 1)) / count;
    for (let i = 0; i < count; i += 1) {
      const end = i === 0 ? "" : String(i + 1);
      const top = 1 - i * (height + gap);
      layout[`xaxis${end}`] = { ...layout[`xaxis${end}`], domain: [0, 1] };
      layout[`yaxis${end}`] = { ...layout[`yaxis${end}`], domain: [top - height, top] };
      layout.annotations[i] = { ...layout.annotations[i], x: 0.5, y: top + 0.01 };
    }
    layout.height *= count * 0.85;
  }

  async function draw(index) {
    const { data, layout } = figureOf(index);
    const canvas = frames[index].querySelector(".canvas");
    // A phone has no room for a finger to scroll past a plot that pans, so dragging is off there.
    const narrow = canvas.clientWidth < 480;
    if (narrow && layout.meta?.panels > 1) stackPanels(layout, layout.meta.panels);
    layout.dragmode = narrow ? false : "zoom";
    const config = { responsive: true, displaylogo: false, displayModeBar: false };
    await window.Plotly.react(canvas, data, layout, config);
    canvas.dataset.drawn = "yes";
  }

  async function drawAll() {
    for (let index = 0; index < frames.length; index += 1) {
      await draw(index);
      await new Promise((done) => setTimeout(done, 0));
    }
    root.dataset.plots = "drawn";
  }

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const csvField = (value) => {
    if (value === null || value === undefined) return "";
    const text = String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  function csvOf(columns) {
    const names = Object.keys(columns);
    const rows = Math.max(0, ...names.map((name) => columns[name].length));
    const lines = [names.map(csvField).join(",")];
    for (let row = 0; row < rows; row += 1) lines.push(names.map((name) => csvField(columns[name][row])).join(","));
    return `${lines.join("\n")}\n`;
  }

  async function saveSvg(index) {
    // A saved picture goes into a paper: draw it in the light theme, whatever the page shows.
    const before = root.dataset.theme;
    root.dataset.theme = "light";
    const { data, layout } = figureOf(index);
    if (before === undefined) delete root.dataset.theme; else root.dataset.theme = before;
    const canvas = frames[index].querySelector(".canvas");
    const size = { width: canvas.clientWidth, height: layout.height };
    const url = await window.Plotly.toImage({ data, layout: { ...layout, ...size, paper_bgcolor: "#fff" } }, { format: "svg", ...size });
    const text = decodeURIComponent(url.slice(url.indexOf(",") + 1));
    save(new Blob([text], { type: "image/svg+xml" }), `${plots[index].key}.svg`);
  }

  frames.forEach((frame, index) => {
    frame.addEventListener("click", async (event) => {
      const button = event.target.closest("button");
      if (button === null || !ready && button.dataset.save !== "csv") return;
      if (button.dataset.figure !== undefined) {
        state[index] = Number(button.dataset.figure);
        for (const other of frame.querySelectorAll("[data-figure]")) other.setAttribute("aria-pressed", String(other === button));
        await draw(index);
      }
      if (button.dataset.save === "svg") await saveSvg(index);
      if (button.dataset.save === "csv") save(new Blob([csvOf(plots[index].columns)], { type: "text/csv" }), `${plots[index].key}.csv`);
    });
  });

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const source = find(button.dataset.copy);
      const before = button.textContent;
      try {
        await navigator.clipboard.writeText(source.innerText);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = before; }, 1600);
    });
  }

  const isDark = () => (root.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";

  async function themeChanged() {
    for (const listener of themeListeners) listener();
    if (ready) await drawAll();
  }

  find("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    themeChanged();
  });
  prefersDark.addEventListener("change", themeChanged);

  // On paper: light, unfolded, and plots as wide as the sheet.
  const PAPER_WIDTH = { wide: 650, half: 315 };
  let beforePrint = null;
  window.addEventListener("beforeprint", () => {
    beforePrint = { theme: root.dataset.theme, open: [...document.querySelectorAll("details")].map((item) => item.open) };
    root.dataset.theme = "light";
    document.querySelectorAll("details").forEach((item) => { item.open = item.closest("#provenance") === null; });
    if (!ready) return;
    frames.forEach((frame, index) => {
      const { data, layout } = figureOf(index);
      const wide = frame.classList.contains("wide");
      const size = { width: PAPER_WIDTH[wide ? "wide" : "half"], height: Math.min(layout.height, wide ? 380 : 300), autosize: false };
      const canvas = frame.querySelector(".canvas");
      canvas.style.minHeight = "0";
      window.Plotly.react(canvas, data, { ...layout, ...size, font: { ...layout.font, size: 10 } });
    });
  });
  window.addEventListener("afterprint", () => {
    if (beforePrint === null) return;
    if (beforePrint.theme === undefined) delete root.dataset.theme; else root.dataset.theme = beforePrint.theme;
    document.querySelectorAll("details").forEach((item, index) => { item.open = beforePrint.open[index]; });
    beforePrint = null;
    frames.forEach((frame, index) => { frame.querySelector(".canvas").style.minHeight = `${plots[index].figures[0].layout.height}px`; });
    themeChanged();
  });

  async function start() {
    if (frames.length === 0) { root.dataset.plots = "drawn"; return; }
    const message = find("plots-message");
    message.textContent = "Drawing …";
    try {
      await loadScript("plotly-gz");
      ready = true;
      await drawAll();
      message.remove();
    } catch (error) {
      message.textContent = `The plots could not be drawn: ${error.message}. Their data is in the folder tables/ beside this page.`;
      root.dataset.plots = "failed";
    }
  }
  start();

  return { find, inflate, loadScript, cssValue, onThemeChange: (listener) => themeListeners.push(listener) };
})();
