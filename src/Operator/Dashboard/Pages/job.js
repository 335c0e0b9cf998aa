import { el, table, badge, number, short, percent, duration, ago, when, bytes } from './dom.js';
import { charts } from './charts.js';
import { productive } from './jobs.js';
import { nodeMap } from './nodes.js';

const accounts = { productive: '#2da44e', provision: '#8250df', rendezvous: '#bf8700', restore: '#0969da', recompute: '#fb8f44', checkpointStall: '#1b7c83', detect: '#cf222e', diagnose: '#a40e26', pause: '#6e7781' };

/** One job. Parts that change are drawn anew; the charts and what a visitor typed stay. */
export function jobView(content, base) {
  const part = {};
  for (const name of ['top', 'problems', 'curves', 'goodput', 'nodes', 'checkpoints', 'lineage', 'logbook']) part[name] = el('section');
  const search = el('input', { type: 'search', id: 'search', placeholder: 'search', 'aria-label': 'Search the logbook', oninput: () => drawLogbook() });
  const found = el('span', { role: 'status' });
  const entries = el('div'), nodes = nodeMap(() => book());
  part.nodes.append(el('h2', {}, 'Nodes'), nodes.map, nodes.detail);
  part.logbook.append(el('h2', {}, 'Logbook'), el('div', { class: 'toolbar' }, search, found), entries);
  const curves = el('div');
  part.curves.append(el('h2', {}, 'Curves'), curves);
  content.replaceChildren(...Object.values(part));
  const plots = charts(curves, base);
  const more = el('button', { hidden: true, onclick: () => { shownEntries = Infinity; drawLogbook(); search.focus(); } });
  part.logbook.append(el('p', {}, more));
  let state = null, known = {}, whole = null, shownEntries = 30;
  const drawn = {};
  const book = () => whole ?? state?.logbook ?? [];

  /** The state holds the newest entries alone; all that the store remembers is asked for when there is something new. */
  async function readLogbook() {
    const answer = await fetch(`${base}/logbook`).catch(() => null);
    if (!answer?.ok) return;
    const { entries: all } = await answer.json();
    if (all.length > 0) whole = all;
    drawBook();
  }

  /** All that tells of the logbook: the list, the marks on the curves, the history of machines. */
  function drawBook() {
    draw('logbook', book(), drawLogbook);
    draw('marks', book(), mark);
    draw('nodes', [state.nodeMap, book()], () => nodes.show(state.nodeMap ?? []));
  }

  /** Draws a part when what it shows has changed: what is left alone keeps focus, selection and scroll, and is not read out again. */
  function draw(name, shows, how) {
    const now = JSON.stringify(shows ?? null);
    if (drawn[name] === now) return;
    drawn[name] = now;
    how();
  }

  const mark = () => plots.mark(book().map(e => ({ step: e.step, what: e.what, why: e.outcome ? `${e.why}. ${e.outcome}` : e.why })));

  function drawTop() {
    const left = state.phase === 'Running' && state.stepSeconds ? duration((state.totalSteps - state.step) * state.stepSeconds) : null;
    const tile = (name, value, more) => el('div', {}, el('dt', {}, name), el('dd', {}, value, more ? el('small', {}, more) : null));
    part.top.replaceChildren(
      el('h1', {}, state.name, ' ', badge(state.phase)),
      el('progress', { value: String(state.totalSteps ? (state.step ?? 0) / state.totalSteps : 0), max: '1', 'aria-label': 'progress' }),
      el('dl', { class: 'tiles' },
        tile('Step', number(state.step ?? 0), `of ${number(state.totalSteps)}${left ? `, ${left} left` : ''}`), tile('Loss', number(state.loss, 4), 'nats per token'), tile('Learning rate', short(state.learningRate), `loss scale ${short(state.lossScale)}`),
        tile('Throughput', number(state.tokensPerSecond), `tokens/s, ${short(state.stepSeconds)} s a step`), tile('Goodput', productive(state), 'of the time productive'), tile('Nodes', `${number(state.nodes?.ready ?? 0)} of ${number(state.nodes?.desired)}`, `${number(state.nodes?.sparesReady ?? 0)} spares, ${number(state.nodes?.quarantined?.length ?? 0)} quarantined`),
        tile('Epoch', number(state.epoch), `${number(state.restarts?.total ?? 0)} restarts`), tile('Checkpoint', number(state.lastCheckpoint?.step), state.lastCheckpoint ? `${state.lastCheckpoint.verdict}, ${ago(state.lastCheckpoint.committedAt, state.now)}` : 'none yet')));
  }

  function drawProblems() {
    const bad = (state.conditions ?? []).filter(c => c.type === 'Failed' ? c.status === 'True' : c.status === 'False' && ['SpecValid', 'PodTemplateValid', 'MembersPlaced', 'StoreReady', 'SpecInForce'].includes(c.type));
    part.problems.replaceChildren(...bad.map(c => el('div', { class: 'problem', role: 'alert' }, el('strong', {}, `${c.type}: ${c.reason}. `), c.message)));
  }

  function drawGoodput() {
    const all = (state.goodput ?? []).filter(a => a.seconds > 0), total = all.reduce((sum, a) => sum + a.seconds, 0);
    const bar = el('div', { class: 'stack', role: 'img', 'aria-label': `Goodput: ${all.map(a => `${a.account} ${percent(a.seconds / total)}`).join(', ')}` }, all.map(a => {
      const piece = el('div', { title: `${a.account}: ${duration(a.seconds)}, ${percent(a.seconds / total)}` });
      piece.style.flexGrow = String(a.seconds);
      piece.style.background = accounts[a.account] ?? '#6e7781';
      return piece;
    }));
    const legend = el('ul', { class: 'legend' }, all.map(a => {
      const swatch = el('i', { 'aria-hidden': 'true' });
      swatch.style.background = accounts[a.account] ?? '#6e7781';
      return el('li', {}, swatch, `${a.account} ${percent(a.seconds / total)} (${duration(a.seconds)})`);
    }));
    part.goodput.replaceChildren(el('h2', {}, 'Goodput'), ...(total > 0 ? [bar, legend] : [el('p', {}, 'No time is accounted for yet.')]));
  }

  function drawLogbook() {
    const wanted = search.value.toLowerCase(), all = book();
    const fitting = all.filter(e => `${e.actor} ${e.what} ${e.why} ${e.outcome ?? ''} ${e.epoch} ${e.step}`.toLowerCase().includes(wanted)).toReversed();
    const shown = fitting.slice(0, shownEntries);
    found.textContent = wanted ? `${number(fitting.length)} of ${number(all.length)} entries` : `${number(all.length)} ${all.length === 1 ? 'entry' : 'entries'}`;
    more.hidden = shown.length === fitting.length;
    more.textContent = `Show ${number(fitting.length - shown.length)} older entries`;
    entries.replaceChildren(table('Logbook', ['When (UTC)', '#Epoch', '#Step', 'By', 'What', 'Why'], shown.map(e => [when(e.time), number(e.epoch), number(e.step), e.actor, e.what, e.outcome ? `${e.why}. ${e.outcome}` : e.why])));
  }

  function drawCheckpoints() {
    part.checkpoints.replaceChildren(el('h2', {}, 'Checkpoints'), table('Checkpoints', ['#Step', '#Epoch', 'Verdict', 'Committed (UTC)', '#Size', 'Resumed by epoch', 'Where'],
      (state.checkpoints ?? []).toReversed().slice(0, 50).map(c => [number(c.step), number(c.epoch), badge(c.verdict), when(c.committedAt), bytes(c.bytes), (c.resumedBy ?? []).join(', ') || null, c.location])));
  }

  function drawLineage() {
    part.lineage.replaceChildren(el('h2', {}, 'Lineage'), table('Lineage', ['#Epoch', '#From', 'Resumed', '#Nodes', 'Made (UTC)', 'Cause', 'Why', 'Changed', 'Ended'],
      (state.lineage ?? []).toReversed().slice(0, 50).map(p => [p.revision > 0 ? `${p.epoch}.${p.revision}` : String(p.epoch), p.parent || null, p.resume ? `step ${number(p.resume.step)} of epoch ${p.resume.epoch}` : 'initial weights', number(p.members), when(p.created), p.reason, p.message, (p.changed ?? []).join('; '), p.outcome ?? null])));
  }

  return {
    show: next => {
      state = next;
      drawTop();
      draw('problems', state.conditions, drawProblems);
      draw('goodput', state.goodput, drawGoodput);
      draw('checkpoints', state.checkpoints, drawCheckpoints);
      draw('lineage', state.lineage, drawLineage);
      drawBook();
      const recorded = state.recorded ?? {};
      if (recorded.logbook !== known.logbook) readLogbook();
      if (known.curves !== undefined && recorded.curves !== known.curves) plots.renew();
      known = recorded;
    },
    curves: () => plots.load(),
    append: plots.append,
    close: plots.close,
  };
}
