let cursor = null;
const colour = (track) => {
  const all = [...new Set(scene.lines.flatMap((p) => p.lines.map((l) => l.track)))];
  return palette[Math.max(0, all.indexOf(track)) % palette.length];
};

// Labels at powers of ten alone, at most four of them.
function decades(panel) {
  const logs = [...panel.lines.flatMap((line) => line.y), panel.limit].filter((v) => v > 0)
    .map(Math.log10);
  const low = logs.length ? Math.floor(logs.reduce((a, b) => Math.min(a, b))) : 0;
  const high = Math.max(low + 1, Math.ceil(logs.reduce((a, b) => Math.max(a, b), low)));
  const powers = [];
  for (let p = low; p <= high; p += Math.ceil((high - low) / 3)) powers.push(p);
  return { type: "log", range: [low - 0.1, high + 0.1], tickvals: powers.map((p) => 10 ** p),
    ticktext: powers.map((p) => ["1", "10"][p] ?? `10<sup>${p}</sup>`.replace("-", "−")) };
}

function drawLines() {
  const host = $("lines");
  if (!host) return;
  const panels = scene.lines, traces = [], shapes = [], notes = [];
  const kinds = [...new Set(scene.events.map((e) => e.kind))];
  const strip = kinds.length ? 1 : 0;
  const heights = [...(strip ? [30 * kinds.length + 14] : []),
    ...panels.map(() => (paper ? 46 : narrow() ? 92 : 108))];
  const gap = 34, total = heights.reduce((a, b) => a + b + gap, 0);
  const layout = { ...common(), height: total + 66,
    margin: { l: narrow() ? 46 : 66, r: 12, t: 18, b: 44 } };
  let top = 0;
  const domain = (k) => {
    const from = 1 - (top + heights[k]) / total, to = 1 - top / total;
    top += heights[k] + gap;
    return [Math.max(0, from), to];
  };
  const grid = { gridcolor: css("--line"), zeroline: false, linecolor: css("--line") };
  const title = (text, range) => notes.push({ text: plain(text), x: 0, xref: "paper",
    xanchor: "left", y: range[1], yref: "paper", yanchor: "bottom", showarrow: false,
    font: { size: narrow() ? 11 : 12, color: css("--muted") } });
  if (strip) {
    const range = domain(0);
    layout.yaxis = { ...grid, domain: range, fixedrange: true, range: [-0.6, kinds.length - 0.4],
      tickvals: [], showgrid: false };
    title("warnings", range);
    kinds.forEach((kind, k) => notes.push({ text: plain(kind), xref: "paper", x: 1,
      xanchor: "right", yref: "y", y: k, yshift: 13, showarrow: false, font: { color: css("--alarm") } }));
    traces.push({ type: "scatter", mode: "markers", yaxis: "y", name: "warnings",
      x: scene.events.map((e) => e.x), y: scene.events.map((e) => kinds.indexOf(e.kind)),
      customdata: scene.events.map((e) => e.track), marker: { symbol: "triangle-down", size: 12,
        color: css("--alarm") }, hoverinfo: "text",
      hovertext: scene.events.map((e) => plain(wrapped(e.text))) });
  }
  panels.forEach((panel, k) => {
    const id = axis(k + strip), range = domain(k + strip), y = "y" + id;
    const unit = panel.unit ? ` (${panel.unit})` : "";
    layout["yaxis" + id] = { ...grid, domain: range, fixedrange: true, exponentformat: "power",
      ...(panel.log ? decades(panel) : { type: "linear", nticks: 4 }) };
    title(panel.title + unit, range);
    for (const line of panel.lines) {
      traces.push({ type: "scatter", mode: line.x.length < 40 ? "lines+markers" : "lines",
        yaxis: y, x: line.x, y: line.y, name: plain(panel.title),
        customdata: line.x.map(() => line.track), connectgaps: false,
        line: { width: 1.5, color: colour(line.track) }, marker: { size: 5 },
        hovertemplate: `%{x}: %{y:.4g}${plain(unit)}<extra></extra>` });
    }
    if (panel.limit !== null) {
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, yref: y, y0: panel.limit,
        y1: panel.limit, line: { color: css("--alarm"), width: 1.3, dash: "dash" } });
    }
  });
  if (cursor !== null) {
    shapes.push({ type: "line", xref: "x", x0: cursor, x1: cursor, yref: "paper", y0: 0, y1: 1,
      line: { color: css("--blue"), width: 1.2 } });
  }
  const x = host.layout?.xaxis, kept = x && x.autorange === false ? { range: [...x.range] } : {};
  layout.xaxis = { ...grid, title: { text: plain(scene.x) }, anchor: "y" + axis(panels.length
    + strip - 1), ...kept };
  layout.shapes = shapes;
  layout.annotations = notes;
  plot(host, traces, layout).then(() => {
    if (host.dataset.ready) return;
    host.dataset.ready = "yes";
    host.on("plotly_click", (e) => show(e.points[0].x, e.points[0].customdata));
  });
}

function wrapped(text) {
  return text.replace(/(.{40,60}) /g, "$1\n").split("\n").slice(0, 6).join(" \n");
}

function drawMap() {
  const host = $("map"), map = scene.map;
  if (!host || !map) return;
  const names = [...new Set(map.paths.map((p) => p.name))];
  const tint = (name) => palette[names.indexOf(name) % palette.length];
  const traces = [{ type: "scatter", mode: "markers", name: "reference", x: map.cloud.x,
    y: map.cloud.y, text: map.cloud.text.map(plain), hoverinfo: "text", opacity: 0.55,
    marker: { size: 4, color: map.cloud.text.map((s) => (names.includes(s) ? tint(s)
      : css("--muted"))) } },
  { type: "scatter", mode: "markers", name: "anchors", ...map.anchors, hoverinfo: "name",
    marker: { size: 6, symbol: "x-thin-open", color: css("--muted") } }];
  for (const path of map.paths) {
    traces.push({ type: "scatter", mode: "lines+markers", name: plain(path.name), x: path.x,
      y: path.y, customdata: path.at.map((t) => [t, path.track]),
      line: { color: tint(path.name), width: 1.5 }, marker: { size: 4 },
      hovertemplate: `${plain(path.name)} at %{customdata[0]}<extra></extra>` });
  }
  const grid = { gridcolor: css("--line"), zeroline: false };
  plot(host, traces, { ...common(), showlegend: true,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, height: narrow() ? 360 : 520,
    margin: { l: 46, r: 12, t: 40, b: 44 },
    xaxis: { ...grid, title: { text: "first principal direction" } },
    yaxis: { ...grid, title: { text: "second" }, scaleanchor: "x" } }).then(() => {
    if (host.dataset.ready) return;
    host.dataset.ready = "yes";
    host.on("plotly_click", (e) => {
      const at = e.points[0].customdata;
      if (at) show(at[0], at[1]);
    });
  });
}

// The structure of a time is the nearest that the log holds.
function nearest(x, track) {
  let best = -1;
  scene.frames.forEach((f, k) => {
    if (scene.frames.some((g) => g.track === track) && f.track !== track) return;
    if (best < 0 || Math.abs(f.x - x) < Math.abs(scene.frames[best].x - x)) best = k;
  });
  return best;
}

async function show(x, track, zoom) {
  cursor = x;
  if (zoom && $("lines")?.layout) {
    const all = scene.lines.flatMap((p) => p.lines.flatMap((l) => [l.x[0], l.x[l.x.length - 1]]));
    const span = 0.05 * (Math.max(...all) - Math.min(...all)) || 1;
    Object.assign($("lines").layout.xaxis, { autorange: false, range: [x - span, x + span] });
  }
  drawLines();
  const k = nearest(x, track);
  if (k < 0) return;
  if (!$("viewer")) return;
  tell(k);
  await pick(k, scene.flagged[k] ?? 0);
}

function tell(k) {
  const f = scene.frames[k];
  $("shown").textContent = `Shown: geometry ${f.index}` + (f.track ? ` of track ${f.track}` : "")
    + `, structure ${k + 1} of ${scene.frames.length} kept in the log.`;
  document.body.dataset.shown = String(k);
}

// Atoms of the structure that is shown, beside it; a click on one marks it in both.
function drawAtoms(k, atom) {
  const host = $("atoms"), sizes = scene.chemiscope.structures.map((s) => s.size);
  const from = sizes.slice(0, k).reduce((a, b) => a + b, 0);
  const values = (name) => scene.chemiscope.properties[name].values.slice(from, from + sizes[k]);
  const names = scene.chemiscope.structures[k].names ?? [];
  const light = { color: "#1b1f24", size: narrow() ? 11 : 12 };
  const named = { map_x: "map of the Platonic space: first direction", map_y: "second" };
  const axisOf = (name) => ({ title: { text: named[name] ?? plain(name.replace(/_/g, " ")) },
    gridcolor: "#d5d9de", zeroline: false });
  const chosenOne = values("atom").map((_, i) => i === atom);
  const onMap = scene.axes.x === "map_x" && scene.map;
  const cloud = onMap ? scene.map.cloud : { x: [], y: [], text: [] };
  plot(host, [{ type: "scatter", mode: "markers", x: cloud.x, y: cloud.y,
    hoverinfo: "text", hovertext: cloud.text.map((s) => plain(`known: ${s}`)),
    marker: { size: 4, color: "#b6bcc4" } },
  { type: "scatter", mode: "markers", x: values(scene.axes.x),
    y: values(scene.axes.y), hoverinfo: "text",
    hovertext: values(scene.axes.y).map((v, i) => plain(`${names[i] ?? ""}${i}: ${v}`)),
    marker: { size: chosenOne.map((c) => (c ? 15 : 8)), opacity: 0.85,
      color: values("flagged").map((f) => (f ? "#d55e00" : "#0072b2")),
      line: { width: chosenOne.map((c) => (c ? 3 : 0)), color: "#1b1f24" } } }],
  { ...common(), font: light, height: narrow() ? 260 : 410, margin: { l: 54, r: 10, t: 12, b: 44 },
    xaxis: axisOf(scene.axes.x), yaxis: axisOf(scene.axes.y) }).then(() => {
    Object.assign(host.dataset, { shown: k, atom });
    if (host.dataset.ready) return;
    host.dataset.ready = "yes";
    host.on("plotly_click", (e) => {
      const point = e.points.find((p) => p.curveNumber === 1);
      if (point) pick(Number(host.dataset.shown), point.pointNumber);
    });
  });
}

async function pick(k, atom) {
  drawAtoms(k, atom);
  await startViewer(chosen);
  visualizer.select(visualizer.indexer.fromStructureAtom("atom", k, atom));
}

function chosen(given) {
  const k = given?.structure;
  if (typeof k !== "number" || !scene.frames[k]) return;
  cursor = scene.frames[k].x;
  tell(k);
  drawAtoms(k, given.atom ?? 0);
  drawLines();
}

document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-event]");
  const event = button && scene.events[Number(button.dataset.event)];
  if (!event) return;
  show(event.x, event.track, true);
  $("lines")?.scrollIntoView({ block: "start" });
});
const redraw = () => {
  drawLines();
  drawMap();
  drawCharts();
  const atoms = $("atoms")?.dataset;
  if (atoms?.ready) drawAtoms(Number(atoms.shown), Number(atoms.atom));
};
const start = async () => {
  if ($("lines") || $("map") || $("atoms") || Object.keys(scene.charts).length) {
    await startCharts(redraw);
  }
  document.body.dataset.ready = "yes";
  const viewer = $("viewer");
  if (!viewer) return;
  drawAtoms(0, 0);
  whenSeen(viewer, () => startViewer(chosen));
};
window.platonic = { redraw, replace: (made) => { scene = { ...made, chemiscope:
  scene.chemiscope, frames: scene.frames, flagged: scene.flagged, charts: scene.charts }; redraw(); } };
start();
