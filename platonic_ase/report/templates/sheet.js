let group = null, turn = 0;

// A group of frames is one structure, or the frames of a motion, which is played.
function tell(k, frame) {
  const shown = scene.groups[k];
  $("shown").textContent = shown.label;
  document.body.dataset.shown = String(k);
  document.body.dataset.frame = String(frame);
  for (const button of document.querySelectorAll("[data-group]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.group) === k));
  }
}

async function showGroup(k, play = true) {
  const shown = scene.groups[k], mine = ++turn;
  if (!shown) return;
  group = k;
  tell(k, shown.from);
  await startViewer(chosen);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (let n = 0; mine === turn && !document.hidden; n += 1) {
    const frame = shown.from + (n % shown.count);
    const before = performance.now();
    visualizer.select(visualizer.indexer.fromStructureAtom("atom", frame, 0));
    document.body.dataset.frame = String(frame);
    if (shown.count === 1 || !play || still) break;
    // a machine that draws slowly gets time for other things
    const pause = Math.max(90, 2 * (performance.now() - before));
    await new Promise((done) => { setTimeout(done, pause); });
  }
}

function chosen(given) {
  const frame = given?.structure;
  const k = scene.groups.findIndex((g) => g.from <= frame && frame < g.from + g.count);
  if (k < 0 || k === group) return;
  turn += 1;
  group = k;
  tell(k, frame);
}

function clicked(point) {
  const k = point.customdata;
  if (typeof k !== "number" || !$("viewer")) return;
  showGroup(k);
  $("viewer").scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-group]");
  if (button) {
    showGroup(Number(button.dataset.group));
    $("viewer")?.scrollIntoView({ block: "nearest" });
  } else if (e.target.closest("[data-play]")) {
    showGroup(group ?? 0);
  } else if (e.target.closest("[data-stop]")) {
    turn += 1;
  }
});

const start = async () => {
  if (document.querySelector("[data-chart]")) await startCharts(() => drawCharts(clicked));
  document.body.dataset.ready = "yes";
  if ($("viewer")) whenSeen($("viewer"), () => { if (group === null) showGroup(0, false); });
};
start();
