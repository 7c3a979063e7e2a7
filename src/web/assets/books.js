// @ts-check
// What cannot be true, and whether the books close.

import { byId, dress, el, glyph, say } from './dom.js';
import { clock, number, offsetMs } from './fmt.js';
import { t } from './i18n.js';

/** How a node stands, as a quality's shape and colour. */
const LOOKS = { closes: 'good', doubtful: 'suspect', does_not_close: 'missing', cannot_be_judged: 'stale' };

/** A day and a time of the park; the day alone where the time is of another. */
function when(text, at) {
  const time = clock(Date.parse(text), offsetMs(text)).slice(0, 5);
  return text.slice(0, 10) === at.slice(0, 10) ? time : `${text.slice(5, 10)} ${time}`;
}

/** A number with as many digits as say something. */
function rounded(value) {
  const size = Math.abs(value);
  return number(value, size >= 100 || Number.isInteger(value) ? 0 : size >= 1 ? 1 : 3);
}

function kwh(wh) { return wh === null ? '--' : `${number(wh / 1e3, Math.abs(wh) < 9_995 ? 2 : 0)}\u00a0kWh`; }

function findingRows(one, at) {
  const unit = one.unit ? `\u00a0${one.unit}` : '';
  const value = `${rounded(one.value)}${unit} (${t('limit')} ${rounded(one.limit)}${unit})`;
  const sentence = `${one.what} ${value}: ${one.cause}. ${t('to_do')}: ${one.remedy}`;
  return [
    el('tr', { class: 'q-suspect' },
      el('td', {}, el('b', {}, t(`check_${one.name}`))),
      el('td', { class: 'c-meters' }, one.meters.join(', ')),
      el('td', { class: 'c-age' }, when(one.since, at))),
    el('tr', { class: 'below' }, el('td', { colspan: 3 }, el('span', { lang: 'en' }, sentence))),
  ];
}

/** Meters that are missing, or the reason why no meter is to blame. */
function because(node) {
  if (!node.missing.length) return node.why ?? '';
  const reason = (one) => {
    const term = t(`reason_${one.reason}`);
    return term.startsWith('reason_') ? t(`q_${one.reason}`) : term;
  };
  return t('needs', { list: node.missing.map((one) => `${one.meter}: ${reason(one)}`).join(t('comma')) });
}

/** A node in the words of the page; a tree of submeters by the meter before it. */
function nameOf(name) {
  return name.startsWith('behind ') ? t('behind', { meter: name.slice('behind '.length) }) : t(`node_${name}`);
}

function nodeRows(node) {
  const judged = node.residual_wh !== null;
  const words = node.state === 'cannot_be_judged' ? because(node) : '';
  const row = el('tr', { class: `q-${LOOKS[node.state]}` },
    el('td', {}, el('b', {}, nameOf(node.node))),
    el('td', { class: 'c-quality' }, glyph(LOOKS[node.state]), t(`state_${node.state}`)),
    el('td', { class: 'c-age' }, judged ? `${kwh(node.residual_wh)} ± ${kwh(node.uncertainty_wh)}` : '--'));
  const below = el('tr', { class: 'below' }, el('td', { colspan: 3 }, el('small', {}, words)));
  return words ? [row, below] : [row];
}

let shown = '';

/** Shows findings and nodes, where they are not those that are shown. */
export function render(live) {
  const { findings, closure } = live;
  const next = JSON.stringify([findings, closure?.nodes, t('findings'), live.at.slice(0, 10)]);
  if (next === shown) return;
  shown = next;
  const found = findings.flatMap((one) => findingRows(one, live.at));
  const none = el('tr', {}, el('td', {}, t('no_findings')));
  byId('findings').replaceChildren(el('tbody', {}, ...(found.length ? found : [none])));
  say(byId('findings-count'), findings.length ? number(findings.length, 0) : '');
  dress(byId('findings-count'), findings.length ? 'needs' : '');
  const nodes = closure?.nodes ?? [];
  const judged = nodes.filter((node) => node.state !== 'cannot_be_judged');
  const closes = judged.filter((node) => node.state === 'closes').length;
  say(byId('closure-count'), judged.length ? t('closure_count', { closes, all: judged.length }) : '');
  const first = el('tr', {}, el('td', {}, t('no_closure')));
  const rows = nodes.flatMap(nodeRows);
  byId('closure').replaceChildren(el('tbody', {}, ...(rows.length ? rows : [first])));
  const suspects = closure?.reconciliation?.suspects ?? [];
  const list = suspects.map((group) => group.meters.map((one) => one.meter).join('/')).join(t('comma'));
  say(byId('suspects'), list ? t('suspects', { list }) : '');
}
