import { el, table, badge, number, percent, ago } from './dom.js';

/** All jobs at a glance. */
export function jobList(content) {
  return { show: state => {
    const rows = state.jobs.map(job => [
      el('a', { href: `#/${encodeURIComponent(job.namespace)}/${encodeURIComponent(job.name)}` }, job.name), job.namespace, badge(job.phase),
      el('span', {}, el('progress', { value: String(job.totalSteps ? (job.step ?? 0) / job.totalSteps : 0), max: '1', 'aria-label': `progress of ${job.name}` }), el('br'), `${number(job.step ?? 0)} of ${number(job.totalSteps)}`),
      number(job.loss, 4), number(job.tokensPerSecond), `${number(job.nodes?.ready ?? 0)}/${number(job.nodes?.desired)}`, number(job.restarts?.total ?? 0), productive(job), number(job.lastCheckpoint?.step), ago(job.created, state.now).replace(' ago', ''),
    ]);
    content.replaceChildren(el('h1', {}, 'Training jobs'), rows.length
      ? table('Training jobs', ['Name', 'Namespace', 'Phase', 'Progress', '#Loss', '#Tokens/s', '#Nodes', '#Restarts', '#Goodput', '#Checkpoint', '#Age'], rows)
      : el('p', {}, 'There are no jobs that you may see. ', el('code', {}, 'kubectl apply -f examples/opt-125m.yaml'), ' makes one.'));
  } };
}

export function productive(job) {
  const total = (job.goodput ?? []).reduce((sum, a) => sum + a.seconds, 0);
  return total > 0 ? percent((job.goodput.find(a => a.account === 'productive')?.seconds ?? 0) / total) : '–';
}
