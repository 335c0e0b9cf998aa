// The node map: one button a machine, in the order of ranks. One stop of the Tab key; arrows, Home and End go from machine to machine.
import { el } from './dom.js';

/** @param book What the logbook holds now, oldest first. */
export function nodeMap(book) {
  const map = el('ul', { class: 'nodes', 'aria-label': 'Nodes by rank; arrow keys go from one to the next', onkeydown: move });
  const detail = el('div', { id: 'node-detail', role: 'status', 'aria-live': 'polite' }, 'Choose a node for its history.');
  let buttons = [], chosen = null;

  const key = n => n.pod ?? n.node;
  const label = n => `${n.node ?? 'not placed'}: ${n.role}${n.rank === null ? '' : ` ${n.rank}`}${n.pod ? `, pod ${n.pod} ${n.phase}` : ''}${n.ready === false ? ', not ready' : ''}${n.quarantine ? `, ${n.quarantine}` : ''}`;
  const kind = n => n.role === 'quarantined' ? 'quarantined' : n.ready === false || (n.pod && n.phase !== 'Running') ? 'trouble' : n.role;

  function show(all) {
    const focused = buttons.indexOf(document.activeElement), name = document.activeElement?.dataset?.key;
    buttons = all.map(n => el('button', { class: kind(n), title: label(n), 'aria-label': label(n), 'data-key': key(n), tabindex: '-1', onclick: () => { chosen = key(n); tell(n); } }, n.rank === null ? n.role[0].toUpperCase() : String(n.rank)));
    map.replaceChildren(...buttons.map(b => el('li', {}, b)));
    const at = buttons.find(b => b.dataset.key === (focused >= 0 ? name : chosen)) ?? buttons[0];
    at?.setAttribute('tabindex', '0');
    if (focused >= 0) at?.focus();
    const told = all.find(n => key(n) === chosen);
    if (told) tell(told);
  }

  function move(event) {
    const at = buttons.indexOf(document.activeElement), across = buttons.filter(b => b.offsetTop === buttons[0].offsetTop).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -at, End: buttons.length - 1 - at }[event.key];
    const next = buttons[at + step];
    if (at < 0 || step === undefined) return;
    event.preventDefault();
    if (!next) return;
    buttons[at].setAttribute('tabindex', '-1');
    next.setAttribute('tabindex', '0');
    next.focus();
  }

  function tell(node) {
    // A whole name: gpu-1 is not in what is said of gpu-13.
    const named = node.node && new RegExp(`(?<![\\w.-])${node.node.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-]|\\.\\w)`);
    const past = named ? book().filter(e => named.test(`${e.what} ${e.why}`)) : [];
    detail.replaceChildren(el('strong', {}, label(node)), past.length === 0 ? el('p', {}, 'The logbook does not mention it.')
      : el('ol', { class: 'past' }, past.toReversed().slice(0, 20).map(e => el('li', {}, el('time', { datetime: e.time }, e.time.slice(0, 19).replace('T', ' ')), ` ${e.what}: ${e.why}`))));
  }

  return { map, detail, show };
}
