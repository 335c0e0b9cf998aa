// Elements and text. Text is always set as text, never parsed as markup: names and messages come from outside.

/** Makes an element: attributes, then children (elements, strings, or lists of them; null is left out). */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(3).filter(child => child !== null && child !== undefined));
  return element;
}

/** A column whose header begins with # holds numbers. On a phone each row is a card (app.css); the roles say that it is a table still. */
export function table(caption, headers, rows) {
  const right = headers.map(h => h.startsWith('#')), names = headers.map(h => h.replace('#', ''));
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    el('table', { role: 'table' }, el('caption', { class: 'sr' }, caption),
      el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, names.map((h, i) => el('th', { scope: 'col', role: 'columnheader', class: right[i] ? 'num' : null }, h)))),
      el('tbody', { role: 'rowgroup' }, rows.map(row => el('tr', { role: 'row' }, row.map((cell, i) => el('td', { role: 'cell', 'data-name': names[i], class: right[i] ? 'num' : null }, cell ?? '–')))))));
}

const phases = { Running: 'good', Succeeded: 'good', Failed: 'bad', Recovering: 'warn', Paused: 'warn', Suspended: 'idle', healthy: 'good', condemned: 'bad', pending: 'idle' };
export const badge = text => el('span', { class: `badge ${phases[text] ?? 'warn'}` }, text ?? 'Pending');

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });
export const number = (value, digits = 0) => value === null || value === undefined ? '–' : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const short = value => value === null || value === undefined ? '–' : Math.abs(value) >= 1e4 ? compact.format(value) : value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(2) : String(+value.toPrecision(4));
export const percent = share => `${(share * 100).toFixed(1)} %`;

export function duration(seconds) {
  if (!(seconds >= 0)) return '–';
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds % 86400 / 3600), Math.floor(seconds % 3600 / 60)];
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${m} min`;
  return m >= 10 ? `${m} min` : m > 0 ? `${m} min ${Math.floor(seconds % 60)} s` : seconds > 0 && seconds < 1 ? '< 1 s' : `${Math.floor(seconds)} s`;
}

export const ago = (time, now) => time ? `${duration((new Date(now) - new Date(time)) / 1000)} ago` : '–';
export const when = time => time ? el('time', { datetime: time, title: time }, new Date(time).toISOString().slice(0, 19).replace('T', ' ')) : '–';

export function bytes(value) {
  if (!value) return '–';
  const power = Math.min(4, Math.floor(Math.log2(value) / 10));
  return `${+(value / 1024 ** power).toPrecision(3)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}
