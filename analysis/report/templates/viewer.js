"use strict";
// The three-dimensional viewer: loads when asked, decodes the frames once, moves the atoms of each scene.
(() => {
  const { find, inflate, loadScript, cssValue, onThemeChange } = alkaliflow;
  const FRAMES_PER_SECOND = 12;
  const STICK_RADIUS_A = 0.14;
  const BALL_RADIUS_A = 0.3;
  let data = null;
  let scenes = [];
  let frame = 0;
  let playing = false;

  async function decode(item) {
    const nFrames = item.time_ps.length;
    const size = item.n_atoms * 3;
    const bytes = await inflate(item.frames);
    const half = nFrames * size;
    const grid = new Int16Array(half);
    for (let i = 0; i < half; i += 1) {
      const zigzag = bytes[i] | (bytes[half + i] << 8);
      const step = (zigzag >>> 1) ^ -(zigzag & 1);
      grid[i] = i < size ? step : grid[i - size] + step;
    }
    return grid;
  }

  const lastFrame = () => Math.max(...data.cases.map((item) => item.time_ps.length)) - 1;
  const colourBy = () => find("viewer-colour").value;

  function colourOf(item, atom) {
    return colourBy() === "region"
      ? data.region_colours[item.regions[item.region_of[atom]]]
      : data.element_colours[item.elements[item.element_of[atom]]];
  }

  function styleAtoms(scene) {
    const alloy = find("viewer-alloy").value;
    const { item } = scene;
    const sticks = find("viewer-molecules")?.value === "sticks";
    scene.atoms.forEach((atom, i) => {
      const solid = data.solid_regions.includes(item.regions[item.region_of[i]]);
      const radius = data.element_radii_A[item.elements[item.element_of[i]]];
      if (solid && alloy === "hidden") { atom.style = {}; return; }
      if (sticks && atom.bonds.length > 0) {
        atom.style = { stick: { radius: STICK_RADIUS_A, color: colourOf(item, i) }, sphere: { radius: BALL_RADIUS_A, color: colourOf(item, i) } };
        return;
      }
      atom.style = { sphere: { radius: solid && alloy === "small" ? 0.45 * radius : radius, color: colourOf(item, i) } };
    });
  }

  function moveAtoms(scene) {
    const { item, grid, atoms } = scene;
    const n = Math.min(frame, item.time_ps.length - 1);
    let at = n * item.n_atoms * 3;
    for (const atom of atoms) {
      atom.x = grid[at] * item.step_A; atom.y = grid[at + 1] * item.step_A; atom.z = grid[at + 2] * item.step_A;
      at += 3;
    }
    // 3Dmol builds its geometry again only after a change of style: give the first atom the style that it has.
    scene.model.setStyle({ serial: 0 }, { ...atoms[0].style });
    drawCores(scene, n);
  }

  function drawCell({ viewer, item }) {
    const [a, b, c] = item.cell_A;
    const corner = (...vectors) => vectors.reduce((sum, v) => ({ x: sum.x + v[0], y: sum.y + v[1], z: sum.z + v[2] }), { x: 0, y: 0, z: 0 });
    const edges = [[[], [a]], [[], [b]], [[], [c]], [[a], [a, b]], [[a], [a, c]], [[b], [a, b]], [[b], [b, c]], [[c], [a, c]], [[c], [b, c]], [[a, b], [a, b, c]], [[a, c], [a, b, c]], [[b, c], [a, b, c]]];
    for (const [start, end] of edges) viewer.addLine({ start: corner(...start), end: corner(...end), color: cssValue("--muted") });
  }

  function drawCores(scene, n) {
    const { viewer, item } = scene;
    for (const line of scene.lines) viewer.removeShape(line);
    scene.lines = [];
    if (item.core_A === null || !find("viewer-core").checked) return;
    for (const [x, y] of item.core_A[n]) {
      if (x === null || y === null) continue;
      const [low, high] = item.line_z_A;
      scene.lines.push(viewer.addCylinder({ start: { x, y, z: low }, end: { x, y, z: high }, radius: 0.5, color: data.core_colour, fromCap: 2, toCap: 2 }));
    }
  }

  function render() {
    for (const scene of scenes) { moveAtoms(scene); scene.viewer.render(); }
    find("viewer-frame").value = frame;
    const { item } = scenes[0];
    const n = Math.min(frame, item.time_ps.length - 1);
    find("viewer-time").textContent = item.frame_names[n] ?? `${item.time_ps[n].toPrecision(4)} ps`;
  }

  function restyle() {
    scenes.forEach(styleAtoms);
    const names = colourBy() === "region" ? data.region_colours : data.element_colours;
    find("viewer-legend").replaceChildren(...Object.entries(names).map(([name, colour]) => {
      const entry = document.createElement("li");
      const dot = document.createElement("span");
      dot.className = "dot";
      dot.style.background = colour;
      entry.append(dot, name);
      return entry;
    }));
    render();
  }

  // From the side, z up, turned a little: the camera of the picture strip.
  function resetView() {
    const half = (degrees) => (degrees * Math.PI) / 360;
    const [cx, sx] = [Math.cos(half(data.elevation_deg - 90)), Math.sin(half(data.elevation_deg - 90))];
    const [cz, sz] = [Math.cos(half(data.azimuth_deg)), Math.sin(half(data.azimuth_deg))];
    for (const { viewer, item } of scenes) {
      viewer.zoomTo();
      const view = viewer.getView();
      // Quaternion (x, y, z, w) of a turn about z, then a tilt about x.
      view.splice(4, 4, sx * cz, -sx * sz, cx * sz, cx * cz);
      viewer.setView(view);
      viewer.zoom(item.bonds.length > 0 ? 0.95 : 1.1);
    }
  }

  function linkViews() {
    let busy = false;
    for (const scene of scenes) {
      scene.viewer.setViewChangeCallback((view) => {
        if (busy) return;
        busy = true;
        for (const other of scenes) if (other !== scene) other.viewer.setView(view);
        busy = false;
      });
    }
  }

  function buildScene(item) {
    const holder = document.createElement("div");
    holder.className = "scene";
    const title = document.createElement("p");
    title.textContent = item.label;
    const stage = document.createElement("div");
    stage.setAttribute("role", "img");
    stage.setAttribute("aria-label", `Atoms of ${item.label} in three dimensions`);
    holder.append(title, stage);
    find("viewer-stage").append(holder);
    const viewer = window.$3Dmol.createViewer(stage, { backgroundColor: cssValue("--picture"), antialias: true, disableFog: true, orthographic: false });
    const model = viewer.addModel();
    const bonds = item.element_of.map(() => []);
    for (const [one, other] of item.bonds) { bonds[one].push(other); bonds[other].push(one); }
    model.addAtoms(item.element_of.map((number, i) => ({ elem: item.elements[number], x: 0, y: 0, z: 0, serial: i, bonds: bonds[i], bondOrder: bonds[i].map(() => 1) })));
    drawCell({ viewer, item });
    return { item, viewer, model, atoms: model.selectedAtoms({}), grid: item.grid, lines: [] };
  }

  function buildScenes() {
    const wanted = find("viewer-case").value;
    const view = scenes.length > 0 ? scenes[0].viewer.getView() : null;
    find("viewer-stage").replaceChildren();
    scenes = data.cases.filter((item) => wanted === "all" || item.name === wanted).map(buildScene);
    restyle();
    if (view === null) resetView(); else scenes.forEach((scene) => scene.viewer.setView(view));
    linkViews();
    scenes.forEach((scene) => scene.viewer.render());
    spin();
  }

  const spin = () => scenes.forEach((scene) => scene.viewer.spin(find("viewer-spin").checked ? "z" : false, 0.5));

  function show(number) {
    const count = lastFrame() + 1;
    frame = ((number % count) + count) % count;
    render();
  }

  function play(on) {
    playing = on;
    const button = find("viewer-play");
    button.textContent = on ? "Pause" : "Play";
    button.setAttribute("aria-pressed", String(on));
    if (on) requestAnimationFrame(tick);
  }

  let last = 0;
  function tick(now) {
    if (!playing) return;
    if (now - last >= 1000 / FRAMES_PER_SECOND) { last = now; show(frame + 1); }
    requestAnimationFrame(tick);
  }

  function connect() {
    find("viewer-back").addEventListener("click", () => { play(false); show(frame - 1); });
    find("viewer-next").addEventListener("click", () => { play(false); show(frame + 1); });
    find("viewer-play").addEventListener("click", () => play(!playing));
    find("viewer-frame").addEventListener("input", (event) => { play(false); show(Number(event.target.value)); });
    find("viewer-case").addEventListener("change", buildScenes);
    find("viewer-colour").addEventListener("change", restyle);
    find("viewer-alloy").addEventListener("change", restyle);
    find("viewer-molecules")?.addEventListener("change", restyle);
    find("viewer-core")?.addEventListener("change", render);
    find("viewer-spin").addEventListener("change", spin);
    find("viewer-reset").addEventListener("click", () => { resetView(); render(); });
    onThemeChange(() => { scenes.forEach((scene) => scene.viewer.setBackgroundColor(cssValue("--picture"))); render(); });
    window.addEventListener("resize", () => scenes.forEach((scene) => scene.viewer.resize()));
  }

  find("viewer-load").addEventListener("click", async () => {
    const message = find("viewer-message");
    find("viewer-load").disabled = true;
    message.textContent = "Loading …";
    try {
      const probe = document.createElement("canvas");
      if (!(probe.getContext("webgl2") ?? probe.getContext("webgl"))) throw new Error("WebGL is off");
      await loadScript("viewer-gz");
      data = JSON.parse(find("viewer-data").textContent);
      for (const item of data.cases) item.grid = await decode(item);
      const chooser = find("viewer-case");
      const options = data.cases.map((item) => new Option(item.label, item.name));
      if (data.cases.length > 1) options.unshift(new Option("all, side by side", "all"));
      chooser.replaceChildren(...options);
      find("viewer-frame").max = lastFrame();
      find("viewer-panel").hidden = false;
      frame = lastFrame();
      buildScenes();
      connect();
      find("viewer-start").remove();
      document.documentElement.dataset.viewer = "drawn";
    } catch (error) {
      find("viewer-panel").hidden = true;
      message.textContent = `The viewer could not start: ${error.message ?? error}. The pictures above show the same frames.`;
      document.documentElement.dataset.viewer = "failed";
    }
  });
})();
