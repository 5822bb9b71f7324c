"use strict";
// Draws the figures of a diagnosis, and answers what a slope a and an intercept b would do.
(() => {
  const values = JSON.parse(document.getElementById("values").textContent);
  const element = (id) => document.getElementById(id);
  const root = document.documentElement;
  const several = !values.nodes;
  const state = { a: 1, b: 0 };
  const PRINTED = { whole: 660, half: 325, height: 330 };
  const BARS = 60;
  const BINS = 10;
  const HALF_WIDTH = 1.959963984540054; // of a 95% interval, in standard deviations
  const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false };
  const AIMED = ["cross_entropy", "accuracy"];
  const LIVE = ["cross_entropy", "accuracy", "curve", "losses", "reliability"];
  let printing = false;

  // --- numbers ---------------------------------------------------------------------------------

  const DASH = "\u2013";
  const digits = (value, count = 6) =>
    value === null || Number.isNaN(value) ? DASH
      : Number.isFinite(value) ? String(Number(value.toPrecision(count))) : "\u221e";
  const percent = (value) => (value === null ? DASH : `${digits(100 * value)}%`);
  const clean = (text) =>
    String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
  const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
  const named = (label) => `class ${clean(values.classes[label])}`;

  function at(a, b) {
    // Loss and accuracy there, and the loss of each node.
    const { z, y, count, weight } = values.nodes;
    const losses = new Float64Array(z.length);
    let loss = 0, right = 0, mass = 0, samples = 0;
    for (let i = 0; i < z.length; i++) {
      const logit = a * z[i] + b;
      const own = count[i] * weight[i];
      losses[i] = softplus(y[i] ? -logit : logit);
      loss += own * losses[i];
      mass += own;
      if (logit > 0 === (y[i] === 1)) {
        right += own;
        samples += count[i];
      }
    }
    return { loss: loss / mass, accuracy: right / mass, right: samples, losses };
  }

  function lossBars(losses) {
    // Samples by loss, for each class; bars of equal width up to the largest loss.
    const { y, count } = values.nodes;
    // A slope of 1e308 makes losses that no axis holds.
    const top = Math.min(losses.reduce((most, one) => Math.max(most, one), 0), 1e300) || 1;
    const counts = [new Array(BARS).fill(0), new Array(BARS).fill(0)];
    losses.forEach((one, i) => {
      counts[y[i]][Math.min(BARS - 1, Math.floor((BARS * one) / top))] += count[i];
    });
    return { edges: Array.from({ length: BARS + 1 }, (_, i) => (top * i) / BARS), counts };
  }

  function reliabilityBins(a, b) {
    // Bins of about equal mass that never part equal logits; 95% intervals by Wilson.
    const { z, y, count, weight } = values.nodes;
    const own = z.map((_, i) => count[i] * weight[i]);
    const total = own.reduce((sum, one) => sum + one, 0);
    const bins = new Map();
    let before = 0;
    for (let i = 0, end; i < z.length; i = end) {
      let mass = 0;
      for (end = i; end < z.length && a * z[end] + b === a * z[i] + b; end++) mass += own[end];
      const middle = (before + mass / 2) / total;
      before += mass;
      const place = Math.floor(BINS * (a < 0 ? 1 - middle : middle));
      if (!bins.has(place)) {
        bins.set(place, { place, mass: 0, squares: 0, ones: 0, predicted: 0, count: 0 });
      }
      const bin = bins.get(place);
      for (let k = i; k < end; k++) {
        bin.mass += own[k];
        bin.squares += own[k] * weight[k];
        bin.ones += own[k] * y[k];
        bin.predicted += own[k] * sigmoid(a * z[k] + b);
        bin.count += count[k];
      }
    }
    return [...bins.values()].filter((one) => one.mass > 0)
      .sort((one, other) => one.place - other.place).map(wilson);
  }

  function wilson({ mass, squares, ones, predicted, count }) {
    const n = (mass * mass) / squares; // samples of equal weight that say as much
    const share = ones / mass;
    const q = (HALF_WIDTH * HALF_WIDTH) / n;
    const middle = (share + q / 2) / (1 + q);
    const half = Math.sqrt(q * share * (1 - share) + (q * q) / 4) / (1 + q);
    return {
      predicted: predicted / mass, observed: share, count: Math.round(count),
      low: Math.max(0, middle - half), high: Math.min(1, middle + half),
    };
  }

  // --- looks -----------------------------------------------------------------------------------

  const tone = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const faded = (colour, share) =>
    colour + Math.round(255 * share).toString(16).padStart(2, "0");

  function axis(title, more = {}) {
    return {
      title: { text: title, standoff: 8 }, fixedrange: true, zeroline: false, automargin: true,
      gridcolor: tone("rule"), linecolor: tone("faint"), tickcolor: tone("faint"),
      exponentformat: "power", ...more,
    };
  }

  function layout(x, y, more = {}) {
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: tone("ink") },
      margin: { l: 55, r: 15, t: 30, b: 50 }, dragmode: false, hovermode: "closest",
      hoverlabel: { bgcolor: tone("raised"), font: { color: tone("ink") } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 } },
      xaxis: x, yaxis: y, ...more,
    };
  }

  // --- figures of two classes ------------------------------------------------------------------

  function marker(place, symbol, name, colour, size = 13) {
    return {
      type: "scatter", mode: "markers", x: [place.a], y: [place.b], name,
      marker: { symbol, size, color: colour, line: { color: "#ffffff", width: 1.5 } },
      hovertemplate: `${name}<br>a = %{x:.6g}, b = %{y:.6g}<extra></extra>`,
    };
  }

  function edges() {
    // From (0, 0) beyond the axes, in a dark coat so that they show on every colour.
    const { a, b } = values.plane;
    const reach = 2 * Math.max(...[a, b].flat().map(Math.abs));
    const x = [], y = [];
    for (const [across, up] of values.rays) {
      const far = reach / Math.max(Math.abs(across), Math.abs(up));
      x.push(0, across * far, null);
      y.push(0, up * far, null);
    }
    const line = { type: "scatter", mode: "lines", x, y, hoverinfo: "skip" };
    return [
      { ...line, line: { color: "#000000", width: 3 }, showlegend: false },
      { ...line, line: { color: "#ffffff", width: 1.3, dash: "dot" },
        name: "edges of highest accuracy" },
    ];
  }

  const logarithm = (rows) => {
    const least = Math.min(...rows.flat().filter((one) => one > 0));
    return rows.map((row) => row.map((one) => Math.log10(one > 0 ? one : least)));
  };
  const heights = several ? {} : {
    cross_entropy: logarithm(values.plane.cross_entropy), accuracy: values.plane.accuracy,
  };

  function ticks(rows) {
    // Round numbers for a colour bar that is logarithmic.
    const all = rows.flat();
    const low = Math.min(...all), high = Math.max(...all);
    const steps = high - low < 1.2 ? [1, 1.5, 2, 3, 5, 7] : high - low < 3 ? [1, 3] : [1];
    const found = [];
    for (let k = Math.floor(low); k <= high; k++) {
      for (const step of steps) {
        const place = k + Math.log10(step);
        if (place >= low && place <= high) found.push(place);
      }
    }
    const every = Math.ceil(found.length / 9);
    const tickvals = found.filter((_, i) => i % every === 0);
    return { tickvals, ticktext: tickvals.map((place) => digits(10 ** place, 2)) };
  }

  function landscape(name) {
    const { a, b } = values.plane;
    const loss = name === "cross_entropy";
    const words = loss ? "cross-entropy (nats)" : "accuracy";
    const surface = {
      type: "heatmap", x: a, y: b, z: heights[name], customdata: values.plane[name],
      colorscale: loss ? "Viridis" : "Cividis",
      colorbar: {
        title: { text: words, side: "right" }, thickness: 12, outlinewidth: 0,
        ...(loss ? ticks(heights[name]) : { tickformat: "~%" }),
      },
      hovertemplate:
        `a = %{x:.4g}, b = %{y:.4g}<br>${words} %{customdata:.6g}<extra></extra>`,
    };
    const marks = [...edges(), marker({ a: 1, b: 0 }, "diamond", "as it is (1, 0)", "#0072b2")];
    if (values.optimum) marks.push(marker(values.optimum, "star", "least cross-entropy",
      "#d55e00", 16));
    if (values.fit) marks.push(marker(values.fit, "square", "the fit judged", "#cc79a7"));
    const chosen = marker(state, "circle-open", "chosen (a, b)", "#ffffff", 15);
    chosen.marker.line = { width: 3, color: "#000000" };
    marks.push(chosen);
    const half = (points) => (points[1] - points[0]) / 2;
    const range = (points) => [points[0] - half(points), points[points.length - 1] + half(points)];
    return {
      data: [surface, ...marks],
      layout: layout(
        axis("slope a", { range: range(a), showgrid: false }),
        axis("intercept b", { range: range(b), showgrid: false }),
        { margin: { l: 55, r: 15, t: 10, b: 50 }, showlegend: false },
      ),
    };
  }

  function curve() {
    const { edges: ends, heights: bars, beyond } = values.density;
    const low = ends[0], high = ends[ends.length - 1];
    const z = Array.from({ length: 401 }, (_, i) => low + ((high - low) * i) / 400);
    const data = bars.map((of, label) => ({
      type: "scatter", mode: "lines", x: ends, y: [...of, of[of.length - 1]],
      line: { shape: "hv", width: 1, color: tone(label ? "one" : "zero") }, yaxis: "y2",
      fill: "tozeroy", fillcolor: faded(tone(label ? "one" : "zero"), 0.25),
      name: `density of ${named(label)}`, hoverinfo: "skip",
    }));
    const probabilities = (a, b) => z.map((one) => sigmoid(a * one + b));
    data.push({
      type: "scatter", mode: "lines", x: z, y: probabilities(1, 0), name: "as it is",
      line: { color: tone("faint"), dash: "dot", width: 1.5 }, hoverinfo: "skip",
    }, {
      type: "scatter", mode: "lines", x: z, y: probabilities(state.a, state.b),
      name: "sigmoid(a z + b)", line: { color: tone("ink"), width: 2.5 },
      hovertemplate: "z = %{x:.4g}: probability %{y:.4g}<extra></extra>",
    });
    const cut = -state.b / state.a;
    const shapes = Number.isFinite(cut) && cut >= low && cut <= high ? [{
      type: "line", x0: cut, x1: cut, y0: 0, y1: 1, yref: "paper",
      line: { color: tone("faint"), width: 1, dash: "dash" },
    }] : [];
    element("caption-curve").textContent =
      "The dashed line is where the predicted class changes. Each density has area 1." +
      (beyond ? ` Samples beyond the axis: ${beyond}.` : "");
    return {
      data,
      layout: layout(
        axis("logit z", { range: [low, high] }),
        axis(`probability of ${named(1)}`, { range: [-0.01, 1.01] }),
        { shapes, yaxis2: { overlaying: "y", side: "right", visible: false, fixedrange: true,
          rangemode: "tozero" } },
      ),
    };
  }

  // --- figures of any number of classes --------------------------------------------------------

  function lossFigure() {
    const found = several ? null : at(state.a, state.b);
    const { edges: ends, counts } = several ? values.histogram : lossBars(found.losses);
    const mean = Math.min(several ? values.cross_entropy : found.loss, 1e300);
    const most = Math.max(...counts.flat(), 1);
    const shades = several ? [] : [tone("zero"), tone("one")];
    const names = several ? values.histogram.names.map(clean) : [named(0), named(1)];
    const nothing = 0.1; // below the axis, for a logarithm has no zero
    const data = counts.map((of, label) => ({
      type: "scatter", mode: "lines", name: names[label], x: ends,
      y: [...of, of[of.length - 1]].map((one) => Math.max(one, nothing)),
      line: { shape: "hv", width: 1.5, color: shades[label] },
      ...(several ? {} : { fill: "tozeroy", fillcolor: faded(shades[label], 0.2) }),
      customdata: [...of, of[of.length - 1]].map(Math.round),
      hovertemplate: `loss from %{x:.3g} nats: %{customdata} samples of ${names[label]}` +
        "<extra></extra>",
    }));
    return {
      data,
      layout: layout(
        axis("loss of a sample (nats)", { range: [0, ends[ends.length - 1]] }),
        axis("samples", { type: "log", range: [Math.log10(0.5), Math.log10(2 * most)], dtick: 1 }),
        { showlegend: true,
          shapes: [{ type: "line", x0: mean, x1: mean, y0: 0, y1: 1, yref: "paper",
            line: { color: tone("ink"), width: 1.5, dash: "dash" } }],
          annotations: [{ x: mean, y: 1, yref: "paper", text: "mean", showarrow: false,
            ...(mean < 0.8 * ends[ends.length - 1]
              ? { xanchor: "left", xshift: 4 } : { xanchor: "right", xshift: -4 }),
            yanchor: "top" }] },
      ),
    };
  }

  function reliability() {
    const bins = several ? values.reliability : { chosen: reliabilityBins(state.a, state.b) };
    const column = (of, name) => of.map((one) => one[name]);
    const looks = {
      as_it_is: ["as it is", "zero"], optimum: ["at the optimum a*", "one"],
      chosen: ["observed, with 95% intervals", "accent"],
    };
    const observed = Object.entries(bins).map(([key, of]) => ({
      type: "scatter", mode: "lines+markers", x: column(of, "predicted"),
      y: column(of, "observed"), name: looks[key][0], customdata: column(of, "count"),
      line: { color: tone(looks[key][1]), width: 1 },
      marker: { size: 8, color: tone(looks[key][1]) },
      error_y: {
        type: "data", symmetric: false, color: tone(looks[key][1]), thickness: 1.5,
        array: of.map((one) => one.high - one.observed),
        arrayminus: of.map((one) => one.observed - one.low),
      },
      hovertemplate:
        "predicted %{x:.4g}<br>observed %{y:.4g}<br>%{customdata} samples<extra></extra>",
    }));
    const [across, up] = several
      ? ["probability of the predicted class", "accuracy"]
      : ["predicted probability", `share of ${named(1)}`];
    return {
      data: [{
        type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], name: "calibrated",
        line: { color: tone("faint"), dash: "dot" }, hoverinfo: "skip",
      }, ...observed],
      layout: layout(
        axis(across, { range: [-0.02, 1.02] }), axis(up, { range: [-0.02, 1.02] }),
      ),
    };
  }

  function lorenz() {
    const { samples, loss } = values.lorenz;
    return {
      data: [{
        type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], name: "all losses equal",
        line: { color: tone("faint"), dash: "dot" }, hoverinfo: "skip",
      }, {
        type: "scatter", mode: "lines", x: samples, y: loss, name: "share of the loss",
        line: { color: tone("accent"), width: 2.5 }, fill: "tozeroy",
        fillcolor: faded(tone("accent"), 0.12),
        hovertemplate: "%{y:.4~p} of the loss in the best %{x:.4~p}<extra></extra>",
      }],
      layout: layout(
        axis("share of the samples, smallest loss first", { range: [0, 1], tickformat: "~%" }),
        axis("share of the loss", { range: [0, 1.01], tickformat: "~%" }),
      ),
    };
  }

  function slope() {
    const { a, cross_entropy: loss, accuracy } = values.slope;
    const line = (x, name, colour, dash) => ({
      type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper",
      line: { color: tone(colour), width: 1.5, dash }, name, showlegend: true,
    });
    const shapes = [line(1, "as it is (a = 1)", "zero", "dash")];
    if (values.optimum) shapes.push(line(values.optimum.a, "optimum a*", "best", "dot"));
    return {
      data: [{
        type: "scatter", mode: "lines", x: a, y: loss, name: "cross-entropy",
        line: { color: tone("ink"), width: 2.5 },
        hovertemplate: "a = %{x:.4g}: %{y:.6g} nats<extra></extra>",
      }, {
        type: "scatter", mode: "lines", x: a, y: accuracy, name: "accuracy", yaxis: "y2",
        line: { color: tone("accent"), width: 2 },
        hovertemplate: "a = %{x:.4g}: accuracy %{y:.4~p}<extra></extra>",
      }],
      layout: layout(
        axis("slope a"), axis("cross-entropy (nats)", { type: "log" }),
        { shapes, margin: { l: 55, r: 60, t: 30, b: 50 },
          yaxis2: axis("accuracy", { overlaying: "y", side: "right", tickformat: "~%",
            showgrid: false, tickmode: "auto" }) },
      ),
    };
  }

  // --- drawing ---------------------------------------------------------------------------------

  const FIGURES = {
    cross_entropy: () => landscape("cross_entropy"), accuracy: () => landscape("accuracy"),
    curve, losses: lossFigure, reliability, lorenz, slope,
  };

  function draw(names = Object.keys(FIGURES)) {
    for (const name of names) {
      const place = element(`figure-${name}`);
      if (!place) continue;
      const figure = FIGURES[name]();
      if (printing) {
        const half = place.closest(".pair");
        Object.assign(figure.layout, {
          width: half ? PRINTED.half : PRINTED.whole, height: PRINTED.height, autosize: false,
        });
      } else {
        Object.assign(figure.layout, {
          width: place.clientWidth, height: place.clientHeight, autosize: false,
        });
      }
      Plotly.react(place, figure.data, figure.layout, CONFIG);
    }
  }

  function say() {
    const { loss, accuracy, right } = at(state.a, state.b);
    const counted = values.counted ? ` (${right} of ${values.n} right)` : "";
    // Nodes that stand for many samples know no more digits of it.
    const share = values.rows ? percent(accuracy) : `${digits(100 * accuracy, 3)}%`;
    const above = values.optimum
      ? `${digits(Math.max(0, loss - values.least))} above the least`
      : `${digits(Math.max(0, loss - values.least))} above its limit ${digits(values.least)}`;
    const strong = (id, text) => Object.assign(document.createElement("b"), { id, textContent: text });
    element("seen").replaceChildren(
      `At (a, b) = (${digits(state.a)}, ${digits(state.b)}): cross-entropy `,
      strong("loss", digits(loss)), ` nats, ${above}; accuracy `,
      strong("correct", share),
      `${counted}, ${percent(Math.max(0, values.best_accuracy - accuracy))} below the best.`,
    );
  }

  let due = false;
  function changed() {
    // Once a frame at most, however fast the pointer is.
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      say();
      draw(LIVE);
    });
  }

  function choose(a, b, from = null) {
    if (!Number.isFinite(a) || !Number.isFinite(b)) return;
    Object.assign(state, { a, b });
    for (const name of ["a", "b"]) {
      if (from !== name) element(name).value = state[name];
      const slider = element(`${name}-slider`);
      if (from !== slider.id) slider.value = state[name];
      slider.setAttribute("aria-valuetext", digits(state[name]));
    }
    changed();
  }

  // --- what moves (a, b) -----------------------------------------------------------------------

  function rounded(value, points) {
    // To about a thousandth of the axis, so that the number shown is the number meant.
    const step = 10 ** Math.floor(Math.log10((points[points.length - 1] - points[0]) / 500));
    return Number((Math.round(value / step) * step).toPrecision(12));
  }

  function aim(place) {
    // By its place in the figure rather than by Plotly's click, which knows cells only.
    const inside = (event) => {
      const box = place.querySelector(".nsewdrag").getBoundingClientRect();
      const across = (event.clientX - box.left) / box.width;
      const up = (box.bottom - event.clientY) / box.height;
      return { across, up, inside: across >= 0 && across <= 1 && up >= 0 && up <= 1 };
    };
    const go = (event) => {
      const { across, up } = inside(event);
      const { xaxis, yaxis } = place.layout;
      const along = (range, share) => range[0] + (range[1] - range[0]) * share;
      const clip = (share) => Math.min(1, Math.max(0, share));
      choose(
        rounded(along(xaxis.range, clip(across)), values.plane.a),
        rounded(along(yaxis.range, clip(up)), values.plane.b),
      );
    };
    let held = null;
    place.closest("figure").classList.add("aimed");
    place.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !inside(event).inside) return;
      held = event.pointerId;
      go(event);
    }, true);
    window.addEventListener("pointermove", (event) => {
      if (held === event.pointerId) go(event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      window.addEventListener(end, () => { held = null; });
    }
  }

  function control() {
    for (const name of ["a", "b"]) {
      const points = values.plane[name];
      const slider = element(`${name}-slider`);
      Object.assign(slider, { min: points[0], max: points[points.length - 1] });
      slider.value = state[name];
      const moved = (from, value) =>
        choose(name === "a" ? value : state.a, name === "b" ? value : state.b, from);
      element(name).addEventListener("input", (event) =>
        moved(name, event.target.value === "" ? NaN : Number(event.target.value)));
      slider.addEventListener("input", (event) =>
        moved(slider.id, rounded(Number(event.target.value), points)));
    }
    element("controls").addEventListener("submit", (event) => event.preventDefault());
    element("as-it-is").addEventListener("click", () => choose(1, 0));
    element("optimum").addEventListener("click", () =>
      choose(values.optimum.a, values.optimum.b));
    AIMED.forEach((name) => aim(element(`figure-${name}`)));
    say();
  }

  // --- the page --------------------------------------------------------------------------------

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  let asked = null; // by the button; until then as the system has it

  function theme() {
    const dark = !printing && (asked === null ? prefersDark.matches : asked === "dark");
    root.dataset.theme = dark ? "dark" : "light";
    element("theme").setAttribute("aria-pressed", String(dark));
    draw();
  }

  function print(on) {
    if (printing === on) return;
    printing = on;
    theme();
  }

  if (!several) control();
  theme();
  element("theme").addEventListener("click", () => {
    asked = root.dataset.theme === "dark" ? "light" : "dark";
    theme();
  });
  prefersDark.addEventListener("change", theme);
  matchMedia("print").addEventListener("change", (event) => print(event.matches));
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => draw(), 100);
  });
})();
