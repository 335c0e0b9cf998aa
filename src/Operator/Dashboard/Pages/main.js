// Read first: an address `#/` is the list, `#/NAMESPACE/NAME` one job. Each view shows a state and is told of later ones by one event stream.
import { el } from './dom.js';
import { jobList } from './jobs.js';
import { jobView } from './job.js';

const content = document.getElementById('content');
const crumbs = document.getElementById('crumbs');
const live = document.getElementById('live');
const leave = document.getElementById('leave');
let stream = null, view = null;

function status(text, kind) {
  if (live.textContent !== text) live.textContent = text;
  live.className = kind;
}

async function open() {
  stream?.close();
  view?.close?.();
  view = null;
  await signInByLink();
  const [namespace, name] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  crumbs.replaceChildren(el('a', { href: '#/' }, 'opt-operator'), ...(name ? [' / ', el('span', { 'aria-current': 'page' }, `${namespace}/${name}`)] : []));
  document.title = name ? `${name} – opt-operator` : 'opt-operator';
  const base = name ? `api/v1/jobs/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}` : 'api/v1';
  const answer = await fetch(name ? base : `${base}/jobs`).catch(() => null);
  if (!answer?.ok) return refuse(answer);
  const state = await answer.json();
  leave.hidden = false;
  view = name ? jobView(content, base) : jobList(content);
  view.show(state);
  const after = await view.curves?.() ?? -1;
  // `?live=off` is a page that stands still: for printing, and for programs that wait until nothing more is loaded.
  if (new URLSearchParams(location.search).get('live') === 'off') return status('not live', '');
  stream = new EventSource(`${base}/events?after=${after}`);
  stream.addEventListener('open', () => status('live', 'on'));
  stream.addEventListener('state', e => view.show(JSON.parse(e.data)));
  stream.addEventListener('steps', e => view.append?.(JSON.parse(e.data)));
  stream.addEventListener('error', () => {
    status('reconnecting', 'off');
    // The browser tries again by itself unless it was refused: then permission has ended, or the job is gone.
    if (stream.readyState === EventSource.CLOSED) setTimeout(open, 3000);
  });
}

/** A link that ends in `#token=...`, as a program on this machine prints it; browsers send that part to nobody. The token does not stay in the address. */
async function signInByLink() {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, '', `${location.pathname}${location.search}#/`);
  await fetch('api/v1/login', { method: 'POST', body: decodeURIComponent(token) }).catch(() => null);
}

async function refuse(answer) {
  leave.hidden = answer?.status === 401;
  status(!answer ? 'no connection' : answer.status === 401 ? 'not signed in' : 'not available', 'off');
  if (answer?.status === 401) return signIn();
  const said = await answer?.json().catch(() => null);
  content.replaceChildren(el('h1', {}, answer?.status === 404 ? 'Not found' : 'Not available'), el('p', {}, said?.error ?? 'The operator does not answer.'), el('p', {}, el('button', { onclick: open }, 'Try again')));
}

function signIn() {
  const token = el('textarea', { id: 'token', rows: '5', autocomplete: 'off', spellcheck: 'false', required: true });
  const error = el('p', { class: 'bad', role: 'alert' });
  const send = async event => {
    event.preventDefault();
    const answer = await fetch('api/v1/login', { method: 'POST', body: token.value });
    if (answer.ok) open();
    else error.textContent = (await answer.json()).error;
  };
  content.replaceChildren(el('form', { class: 'login', onsubmit: send },
    el('h1', {}, 'Sign in'), el('p', {}, 'What you see is what the cluster lets you see. Paste a token of a user or service account that may read jobs, for example from'),
    el('p', {}, el('code', {}, 'kubectl create token default')),
    el('p', {}, el('label', { for: 'token' }, 'Token'), token), error, el('p', {}, el('button', { type: 'submit' }, 'Sign in'))));
  token.focus();
}

leave.addEventListener('click', async () => {
  await fetch('api/v1/logout', { method: 'POST' }).catch(() => null);
  open();
});
addEventListener('hashchange', open);
open();
