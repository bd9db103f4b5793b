// What all pages share; it stands before the script of the page, in the same function.
const $ = (id) => document.getElementById(id);
const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
let scene = JSON.parse($("scene").textContent);
let visualizer = null;
let viewing = null;

// Libraries come packed; the policy of the page allows just these texts, by their hashes.
async function load(name) {
  const bytes = Uint8Array.from(atob($(name + "-packed").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

// chemiscope takes the style sheet of Plotly away with it, so the page keeps a copy.
function keepStyle() {
  const sheet = document.querySelector("style[id^='plotly.js-style']")?.sheet;
  const own = document.createElement("style");
  own.textContent = [...(sheet?.cssRules ?? [])].map((rule) => rule.cssText).join("\n");
  document.head.append(own);
}

const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const narrow = () => window.innerWidth < 600;
const axis = (k) => (k ? String(k + 1) : "");
const common = () => ({
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
  font: { color: css("--ink"), size: narrow() ? 11 : 12 }, hovermode: "closest",
  hoverlabel: { align: "left", bgcolor: css("--card"), bordercolor: css("--line"),
    font: { color: css("--ink") } },
});
const options = { displaylogo: false, displayModeBar: false };

// Plotly's own "responsive" forgets the height of a chart when the window changes.
let paper = 0; // pixels across, while it is printed
const plot = (host, traces, layout) => Plotly.react(host, traces,
  { ...layout, width: paper || host.clientWidth }, options);

// Charts come from Python as Plotly takes them: "@name" is a colour of the page or of the palette.
function tinted(value, key = "") {
  if (typeof value === "string") {
    if (value.startsWith("@")) {
      return /^@\d$/.test(value) ? palette[Number(value[1]) % palette.length]
        : css("--" + value.slice(1));
    }
    return key === "hovertemplate" ? value : plain(value);
  }
  if (Array.isArray(value)) {
    const data = typeof value[0] === "number" && typeof value.at(-1) !== "string";
    return data ? value : value.map((v) => tinted(v, key));
  }
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, tinted(v, k)]));
}

function drawChart(host, chart, clicked) {
  const small = narrow() && chart.narrow ? chart.narrow : {};
  const given = { ...chart.layout, ...small }, layout = { ...common(), ...tinted(given) };
  for (const key of Object.keys(layout)) {
    if (!/^[xy]axis/.test(key)) continue;
    layout[key] = { gridcolor: css("--line"), linecolor: css("--line"), zerolinecolor: css("--line"),
      exponentformat: "power", automargin: true, ...layout[key] };
  }
  return plot(host, tinted(chart.traces), layout).then(() => {
    if (host.dataset.ready) return;
    host.dataset.ready = "yes";
    if (clicked) host.on("plotly_click", (e) => clicked(e.points[0]));
  });
}

function drawCharts(clicked) {
  for (const host of document.querySelectorAll("[data-chart]")) {
    drawChart(host, scene.charts[host.dataset.chart], clicked);
  }
}

async function startCharts(draw) {
  await load("plotly");
  keepStyle();
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => { paper = 690; draw(); });
  addEventListener("afterprint", () => { paper = 0; draw(); });
  let width = innerWidth, waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (paper || innerWidth === width) return;
      width = innerWidth;
      draw();
    }, 100);
  });
}

// Three dimensions cost the most, so they wait until they are about to be seen.
async function buildViewer(chosen) {
  await load("chemiscope");
  visualizer = await Chemiscope.StructureVisualizer.load({ meta: "viewer-meta",
    structure: "viewer-structure", info: "viewer-info" }, scene.chemiscope);
  for (const part of [visualizer.structure, visualizer.info]) {
    for (const name of ["onselect", "onchange"]) {
      const before = part && part[name];
      if (typeof before !== "function") continue;
      part[name] = (...given) => { const out = before.apply(part, given); chosen(given[0]);
        return out; };
    }
  }
  document.body.dataset.viewer = "yes";
}

function startViewer(chosen) {
  viewing ??= buildViewer(chosen).catch((error) => {
    $("shown").textContent = `The structures cannot be shown: ${error}`;
    throw error;
  });
  return viewing;
}

function whenSeen(element, start) {
  new IntersectionObserver((seen, observer) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    start();
  }, { rootMargin: "300px" }).observe(element);
}
