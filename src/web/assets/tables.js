// @ts-check
// Meters with their freshness, and sinks with what waits for them.

import { byId, dress, el, glyph, say } from './dom.js';
import { age, details, number, powerText } from './fmt.js';
import { lang, t } from './i18n.js';

const rows = new Map();

function headOf(names) {
  return el('thead', {}, el('tr', {}, ...names.map((name) => el('th', { scope: 'col', class: `c-${name}` }, t(name)))));
}

function meterRow(meter) {
  const cell = (name, ...inside) => el('td', { class: `c-${name}` }, ...inside);
  const parts = {
    name: el('b'), detail: el('small'), role: cell('role'), power: cell('power'),
    quality: el('span'), age: cell('age'), error: el('span'),
  };
  const quality = cell('quality', parts.quality);
  const row = el('tr', {}, cell('meter', parts.name), parts.role, parts.power, quality, parts.age);
  const below = el('tr', { class: 'below' }, el('td', { colspan: 5 }, parts.detail, parts.error));
  say(parts.name, meter.id);
  return { ...parts, row, below, shown: '' };
}

/** Shows the meters; `late` is how old the frame itself is, in seconds. */
export function meters(live, late) {
  const table = byId('meters');
  const layout = `${lang()} ${live.meters.map((meter) => meter.id).join('\u0000')}`;
  if (table.dataset.layout !== layout) {
    table.dataset.layout = layout;
    rows.clear();
    const body = el('tbody');
    for (const meter of live.meters) {
      const row = meterRow(meter);
      rows.set(meter.id, row);
      body.append(row.row, row.below);
    }
    table.replaceChildren(headOf(['meter', 'role', 'power', 'quality', 'age']), body);
  }
  for (const meter of live.meters) {
    const row = rows.get(meter.id);
    say(row.role, t(`role_${meter.role}`));
    say(row.detail, details(meter.values).join(' · '));
    const silent = meter.role === 'weather' || meter.role === 'monitor';
    say(row.power, silent && meter.power_w === null ? '' : powerText(meter.power_w));
    say(row.age, age(meter.age_s === null ? null : meter.age_s + late));
    dress(row.row, `q-${meter.quality}`);
    if (row.shown !== meter.quality) {
      row.shown = meter.quality;
      row.quality.replaceChildren(glyph(meter.quality), t(`q_${meter.quality}`));
    }
    const trouble = [meter.reason && meter.quality !== 'good' ? t(`reason_${meter.reason}`) : '', meter.last_error ?? '', ...(meter.notes ?? [])];
    say(row.error, trouble.filter(Boolean).join(' · '));
    row.below.hidden = !(row.error.textContent || row.detail.textContent);
  }
  const good = live.meters.filter((meter) => !meter.reason).length;
  say(byId('meters-count'), t('meters_count', { good, all: live.meters.length }));
}

/** Shows the sinks. */
export function sinks(live, now) {
  const table = byId('sinks');
  if (!live.sinks.length) {
    table.replaceChildren(el('tbody', {}, el('tr', {}, el('td', {}, t('no_sinks')))));
    return;
  }
  const since = (text) => (text ? t('ago', { age: age((now - Date.parse(text)) / 1000) }) : t('never'));
  const body = live.sinks.map((sink) => {
    const waiting = t('points', { n: number(sink.backlog_points, 0) });
    const oldest = sink.oldest ? ` (${t('oldest')} ${since(sink.oldest)})` : '';
    const row = el('tr', { class: sink.last_error ? 'q-stale' : 'q-good' },
      el('td', { class: 'c-meter' }, el('b', {}, sink.name)),
      el('td', {}, waiting + oldest),
      el('td', { class: 'c-age' }, since(sink.last_ok)));
    const below = el('tr', { class: 'below' }, el('td', { colspan: 3 }, el('span', {}, sink.last_error ?? '')));
    return sink.last_error ? [row, below] : [row];
  });
  table.replaceChildren(headOf(['sink', 'backlog', 'last_ok']), el('tbody', {}, ...body.flat()));
}
