// Curves with uPlot: one panel a signal, a common cursor, marks where somebody intervened. Zooming asks the server for that stretch anew, so that a
// run of any length costs a few thousand points.
import { el, short, number } from './dom.js';

const signals = [
  ['loss', 'Loss (nats/token)', false], ['learningRate', 'Learning rate', false], ['lossScale', 'Loss scale', true],
  ['gradientNorm', 'Gradient norm', true], ['activationNorm', 'Activation norm', false], ['tokensPerSecond', 'Tokens/s', false],
];
const points = 2000;

export function charts(holder, base) {
  const said = el('p', { class: 'sr', role: 'status', 'aria-live': 'polite' });
  const note = el('span', {}, '');
  const whole = el('button', { hidden: true, onclick: () => load() }, 'Show the whole run');
  holder.replaceChildren(el('div', { class: 'toolbar' }, note, whole), el('div', { class: 'charts' }), said);
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let columns = { step: [] }, total = 0, marks = [], zoomed = false;

  const panels = signals.map(([key, title, logarithmic]) => {
    const value = el('span', {}, '');
    const tip = el('div', { class: 'tip', hidden: true, role: 'tooltip' });
    const box = el('section', { class: 'chart', tabindex: '0', role: 'img', 'aria-label': title }, el('h3', {}, title, value), tip);
    holder.querySelector('.charts').append(box);
    const plot = new uPlot({
      width: 400, height: 200, legend: { show: false }, scales: { x: { time: false }, y: { distr: logarithmic ? 3 : 1 } },
      cursor: { sync: { key: 'run' }, drag: { x: true, y: false } },
      axes: [{ ...axis(), size: 28 }, { ...axis(), size: 62, values: (_, ticks) => ticks.map(t => t === null ? '' : short(t)) }],
      series: [{}, { label: title, stroke: () => colour('--accent'), width: 1.5, points: { show: false } }],
      hooks: { draw: [drawMarks], setCursor: [u => hover(u)], setSelect: [u => { if (u.select.width > 4) load(Math.floor(u.posToVal(u.select.left, 'x')), Math.ceil(u.posToVal(u.select.left + u.select.width, 'x'))); }] },
    }, [[], []], box);
    box.addEventListener('keydown', e => move(e, plot, title, key));
    const size = () => plot.setSize({ width: Math.max(200, box.clientWidth - 16), height: 200 });
    new ResizeObserver(size).observe(box);

    function hover(u) {
      const point = u.cursor.idx;
      value.textContent = point === null || point === undefined ? `now ${short(last(columns[key]))}` : `step ${number(u.data[0][point])}: ${short(u.data[1][point])}`;
      // The cursor is common; what happened is told once, where the visitor is, and beside the mark.
      const here = box === (holder.querySelector('.chart:hover') ?? document.activeElement);
      const near = here && u.cursor.left >= 0 ? marks.filter(m => Math.abs(u.valToPos(m.step, 'x') - u.cursor.left) < 6) : [];
      tip.hidden = near.length === 0;
      if (near.length === 0) return;
      tip.replaceChildren(...near.slice(-4).map(m => el('div', {}, el('strong', {}, `step ${number(m.step)}: ${m.what}`), el('br'), m.why)));
      const at = u.over.offsetLeft + u.cursor.left + 8, right = u.cursor.left < u.over.clientWidth / 2;
      tip.style.left = right ? `${at + 14}px` : 'auto';
      tip.style.right = right ? 'auto' : `${box.clientWidth - at + 14}px`;
      tip.style.maxWidth = `${Math.max(180, (right ? box.clientWidth - at : at) - 22)}px`;
      tip.style.top = '40px';
    }
    return { key, title, plot, box, hover, logarithmic };
  });

  const scheme = matchMedia('(prefers-color-scheme: dark)'), repaint = () => { for (const panel of panels) panel.plot.redraw(false); };
  scheme.addEventListener('change', repaint);

  function axis() {
    return { stroke: () => colour('--faint'), grid: { stroke: () => colour('--rule'), width: 1 }, ticks: { show: false }, font: '11px system-ui' };
  }

  function drawMarks(u) {
    u.ctx.save();
    u.ctx.strokeStyle = colour('--bad');
    u.ctx.setLineDash([4, 4]);
    let drawn = -Infinity;
    for (const mark of marks) {
      const x = Math.round(u.valToPos(mark.step, 'x', true));
      // Many at one place are one line; hovering tells them apart.
      if (x < u.bbox.left || x > u.bbox.left + u.bbox.width || Math.abs(x - drawn) < 3) continue;
      drawn = x;
      u.ctx.beginPath();
      u.ctx.moveTo(x, u.bbox.top);
      u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
      u.ctx.stroke();
    }
    u.ctx.restore();
  }

  /** Arrow keys move the cursor from point to point, Home and End to the ends; what is there is said. Plus zooms to the quarter around it, Escape shows all. */
  function move(event, plot, title, key) {
    if (event.key === '+' && columns.step.length > 8) {
      const at = columns.step[plot.cursor.idx ?? columns.step.length - 1], half = Math.ceil((last(columns.step) - columns.step[0]) / 8);
      return void load(at - half, at + half);
    }
    if (event.key === 'Escape' && zoomed) return void load();
    const size = columns.step.length, page = Math.max(1, Math.floor(size / 20));
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -page, PageDown: page, Home: -size, End: size }[event.key];
    if (!step || size === 0) return;
    event.preventDefault();
    const at = Math.min(size - 1, Math.max(0, (plot.cursor.idx ?? size - 1) + step));
    plot.setCursor({ left: plot.valToPos(columns.step[at], 'x'), top: 10 });
    const mark = marks.filter(m => m.step === columns.step[at]).map(m => `; ${m.what}: ${m.why}`).join('');
    said.textContent = `${title} at step ${columns.step[at]}: ${short(columns[key]?.[at])}${mark}`;
  }

  function draw() {
    const drawn = columns.step.length;
    note.textContent = total === 0 ? 'No steps have been reported since this operator started.' : `${drawn === total ? `All ${number(total)} steps drawn.` : `${number(drawn)} of ${number(total)} steps drawn: every spike is among them.`} Drag to zoom. Dashed: interventions.`;
    for (const panel of panels) {
      const values = columns[panel.key] ?? [];
      panel.plot.setData([columns.step, panel.logarithmic ? values.map(v => v > 0 ? v : null) : values]);
      const present = values.filter(v => v !== null);
      panel.box.setAttribute('aria-label', present.length === 0 ? `${panel.title}: no values yet` : `${panel.title}: now ${short(last(values))}, from ${short(present.reduce((a, b) => Math.min(a, b)))} to ${short(present.reduce((a, b) => Math.max(a, b)))} over ${present.length} points. Arrow keys read them, plus zooms, Escape shows all.`);
      panel.hover(panel.plot);
    }
  }

  async function load(from, to) {
    const range = from === undefined ? '' : `&from=${Math.max(0, from)}&to=${to}`;
    const answer = await fetch(`${base}/steps?points=${points}${range}`);
    if (!answer.ok) return -1;
    const body = await answer.json();
    columns = body.columns;
    zoomed = from !== undefined;
    whole.hidden = !zoomed;
    total = body.total;
    draw();
    return last(columns.step) ?? -1;
  }

  return {
    load,
    /** The past has changed; a stretch that somebody looks at stays as it is. */
    renew: () => { if (!zoomed) load(); },
    mark: entries => { marks = entries; if (columns.step.length > 0) repaint(); },
    append: added => {
      if (zoomed || added.step.length === 0) return;
      // An epoch that went back takes its steps with it; many new points are thinned by the server again.
      if (added.step[0] <= (last(columns.step) ?? -1) || columns.step.length > 2 * points) return void load();
      total += added.step.length;
      for (const key of Object.keys(added)) columns[key] = (columns[key] ?? []).concat(added[key]);
      draw();
    },
    close: () => { scheme.removeEventListener('change', repaint); for (const panel of panels) panel.plot.destroy(); },
  };
}

const last = list => list && list.length > 0 ? list[list.length - 1] : null;
