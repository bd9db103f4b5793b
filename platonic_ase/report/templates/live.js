"use strict";
(() => {
  const base = location.pathname.split("/").slice(0, 2).join("/") + "/NUMBER/data";
  let version = "", drawn = null, events = null;
  async function look() {
    let said;
    try {
      const news = await (await fetch(base + "?" + version)).json();
      if (news.scene && document.body.dataset.ready) {
        version = news.version;
        const shape = JSON.stringify([news.runs, news.scene.lines.map((l) => l.title),
          Boolean(news.scene.map)]);
        if (drawn === null && !document.getElementById("lines") && news.scene.lines.length) {
          location.reload();
          return;
        }
        if ((drawn !== null && shape !== drawn) || (events !== null && news.events !== events)) {
          location.reload();  // new panels or warnings need a new page
          return;
        }
        drawn = shape;
        events = news.events;
        window.platonic.replace(news.scene);
        const box = document.getElementById("verdict");
        box.className = "verdict " + news.kind;
        box.innerHTML = news.verdict;  // escaped where it was made
      }
      said = `${news.state}, ${news.geometries.toLocaleString("en")} geometries`;
    } catch {
      said = "the server has stopped; the log is complete without it";
    }
    document.getElementById("live").textContent = said;
    setTimeout(look, 700);
  }
  look();
})();
