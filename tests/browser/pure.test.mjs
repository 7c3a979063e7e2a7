// The page's pure functions, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';

Object.assign(globalThis, { location: { search: '', href: 'http://127.0.0.1/' } });
if (!('navigator' in globalThis)) Object.assign(globalThis, { navigator: { language: 'en' } });
const assets = '../../src/web/assets';
const fmt = await import(`${assets}/fmt.js`);
const chart = await import(`${assets}/chart.js`);
const flow = await import(`${assets}/flow.js`);
const day = await import(`${assets}/day.js`);
const cards = await import(`${assets}/cards.js`);
const { TERMS } = await import(`${assets}/terms.js`);
const { readFileSync, readdirSync } = await import('node:fs');

const plain = (text) => text.replaceAll(/[\u202f\u00a0]/g, ' ').replaceAll('\u2212', '-');

test('a number is unknown, never zero', () => {
  assert.equal(fmt.powerText(null), '--');
  assert.equal(fmt.powerText(undefined), '--');
  assert.equal(fmt.energyText(null), '--');
  assert.equal(fmt.percent(null), '--');
  assert.equal(fmt.age(null), '--');
});

test('powers read as at a control desk', () => {
  for (const [watts, text] of [
    [0, '0 kW'], [-0.1, '0.00 kW'], [12, '0.01 kW'], [999, '1.0 kW'], [28_800, '28.8 kW'], [99_960, '100 kW'],
    [412_000, '412 kW'], [-412_000, '-412 kW'], [11_683_000, '11 683 kW'], [123_456_000, '123.5 MW'],
  ]) assert.equal(plain(fmt.powerText(watts)), text, String(watts));
});

test('ages and energies read as at a control desk', () => {
  for (const [seconds, text] of [[0.44, '0.4 s'], [47, '47 s'], [59.6, '1 min 00 s'], [192.4, '3 min 12 s'], [7_260, '2 h 01 min'], [180_000, '2 d 2 h']]) {
    assert.equal(plain(fmt.age(seconds)), text);
  }
  assert.equal(plain(fmt.energyText(29_375_400)), '29 375 kWh');
  assert.equal(plain(fmt.energyText(26_277_778, true)), '94.6 GJ');
  assert.equal(fmt.clock(Date.parse('2026-06-03T06:32:07Z'), fmt.offsetMs('2026-06-03T14:32:07+08:00')), '14:32:07');
});

const step = (watts, more = {}) => ({ start: 0, end: 900e3, until: 900e3, open: false, watts, wh: {}, quality: {}, ...more });

test('a step with an unknown number is a gap and not a smaller stack', () => {
  assert.equal(chart.stack(step({ generation: null, import: 5 }), ['generation', 'import'], []), null);
  const { paths, gaps } = chart.shape([step({ generation: null })], ['generation'], [], (x) => x, (y) => y);
  assert.deepEqual([Object.keys(paths).length, gaps.length], [0, 1]);
});

test('a negative source stacks downwards', () => {
  const { parts, high, low } = chart.stack(step({ field: -40, storage: 100, supplied: 60 }), ['field', 'storage'], ['supplied']);
  assert.deepEqual([high, low], [100, -100]);
  assert.deepEqual(parts[0], { name: 'field', from: 0, to: -40 });
});

test('a step that was estimated is hatched, one that was computed from measurements is not', () => {
  for (const [quality, hatched] of [['good', 0], ['derived', 0], ['interpolated', 1], ['estimated', 1], ['suspect', 1]]) {
    const { doubtful } = chart.shape([step({ supplied: 60 }, { quality: { supplied: quality } })], [], ['supplied'], (x) => x, (y) => y);
    assert.equal(doubtful.length, hatched, quality);
  }
});

test('lines are a round distance apart', () => {
  for (const [range, distance] of [[9_000, 2_000], [27_000, 5_000], [0.9, 0.2], [1, 0.2]]) assert.equal(chart.grid(range, 6), distance);
});

test('a link is as wide as its power', () => {
  const model = { left: [{ w: 300 }, { w: 100 }], right: [{ w: 250 }, { w: 150 }] };
  const { links } = flow.place(model, 600, 300);
  const [a, b, c, d] = links.map((link) => link.thick);
  assert.ok(Math.abs(a / b - 3) < 1e-9 && Math.abs(a + b - c - d) < 1e-9 && Math.abs(c / d - 5 / 3) < 1e-9);
});

test('a crowd of rows has room and a dark park divides by nothing', () => {
  const many = Array.from({ length: 30 }, (_, i) => ({ w: 10 ** (i % 7) }));
  const { height, links } = flow.place({ left: [{ w: null }], right: many }, 400, 200);
  for (const link of links) assert.ok(link.y >= 0 && link.y <= height);
  const dark = flow.place({ left: [{ w: 0 }], right: [{ w: 0 }] }, 400, 200);
  assert.ok(dark.links.every((link) => link.thick === 0 && Number.isFinite(link.y)));
});

test('the sum of a day says when it is partial', () => {
  const hour = 3.6e6;
  const steps = [step({}, { start: 0, end: hour, until: hour, wh: { load: 5 } }), step({}, { start: hour, end: 2 * hour, until: 2 * hour, wh: { load: null } })];
  assert.deepEqual(day.total(steps, 'load', 0, 2 * hour), { wh: 5, partial: true });
  assert.deepEqual(day.total(steps.slice(0, 1), 'load', 0, hour), { wh: 5, partial: false });
  assert.deepEqual(day.total([], 'load', 0, hour), { wh: null, partial: false });
});

test('a ratio that does not cover the whole day says from when', () => {
  const live = (from, self_consumption) => ({ ratios: { from, self_consumption } });
  assert.equal(cards.since(live('2026-06-03T00:00:00+08:00', 0.5), 'self_consumption'), '');
  assert.match(cards.since(live('2026-06-03T10:15:00+08:00', 0.5), 'self_consumption'), /10:15/);
  assert.equal(cards.since(live('2026-06-03T10:15:00+08:00', null), 'self_consumption'), '');
});

test('the direction at the grid is a word, within the dead band none', () => {
  const flows = (into, out) => Object.fromEntries(Object.entries({ import: into, export: out, generation: 1e6, load: 1e6 }).map(([name, w]) => [name, { w, quality: 'good', gaps: [] }]));
  assert.equal(cards.net(flows(0, 412e3)).word, 'exporting');
  assert.equal(cards.net(flows(98e3, 0)).word, 'importing');
  assert.equal(cards.net(flows(1e3, 0)).word, 'balanced');
  assert.equal(cards.net(flows(null, 0)).w, null);
});

test('every term has both languages, and every term asked for is there', () => {
  for (const [key, [en, zh]] of Object.entries(TERMS)) {
    assert.ok(en && zh, key);
    const holes = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
    assert.deepEqual(holes(en), holes(zh), key);
  }
  const folder = new URL('../../src/web/assets/', import.meta.url);
  const sources = readdirSync(folder).filter((name) => /\.(js|html)$/.test(name) && name !== 'terms.js').map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n');
  for (const [, key] of sources.matchAll(/\bt\('(\w+)'/g)) assert.ok(TERMS[key], key);
  for (const [, key] of sources.matchAll(/data-t="(\w+)"/g)) assert.ok(TERMS[key], key);
  for (const key of Object.keys(TERMS)) {
    const used = sources.includes(`'${key}'`) || sources.includes(`"${key}"`) || /^(role|reason|q|check|state|node)_/.test(key);
    assert.ok(used, `${key} is used`);
  }
});

test('nothing on the page is parsed as markup', () => {
  const folder = new URL('../../src/web/assets/', import.meta.url);
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.js'))) {
    const source = readFileSync(new URL(name, folder), 'utf8');
    for (const way of ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document.write', 'eval(', 'new Function', 'DOMParser', 'setAttribute(\'style\'', 'createContextualFragment']) {
      assert.ok(!source.includes(way), `${name}: ${way}`);
    }
  }
});

const known = (w) => ({ w, quality: 'good', age_s: 0.5, gaps: [] });
const unmetered = { w: null, quality: 'missing', age_s: null, gaps: [{ meter: '', reason: 'config' }] };
const tenant = (id, power_w) => ({ id, role: 'tenant', quality: power_w === null ? 'stale' : 'good', power_w, reason: power_w === null ? 'timeout' : null });

function park(tenants, more = {}) {
  const zero = known(0);
  return {
    electricity: { generation: known(0), import: known(100e3), export: zero, load: known(100e3), battery_charge: zero, battery_discharge: zero, losses: known(0), residual: unmetered, ...more },
    meters: tenants,
  };
}

test('loads without a meter are what is left of the load, and say that they are derived', async () => {
  const model = await import(`${assets}/model.js`);
  const rest = (live) => model.electricity(live).right.find((row) => row.key === 'rest');
  const found = rest(park([tenant('a', 60e3), tenant('b', 50e3)]));
  assert.deepEqual([found.w, found.quality], [-10e3, 'derived'], 'signed, never clamped');
  assert.equal(rest(park([tenant('a', 60e3), tenant('b', null)])), undefined, 'not while a meter is silent');
  assert.equal(rest(park([tenant('a', 60e3)], { residual: known(40e3) })), undefined, 'not where a residual says it');
});

test('a sum of many meters is unknown while one of them is', async () => {
  const model = await import(`${assets}/model.js`);
  const many = Array.from({ length: 9 }, (_, i) => tenant(`t${i}`, i === 4 ? null : 1e3));
  const [row] = model.electricity(park(many)).right;
  assert.deepEqual([row.w, row.gaps], [null, [{ meter: 't4', reason: 'timeout' }]]);
  const [whole] = model.electricity(park(many.filter((meter) => meter.power_w !== null))).right;
  assert.equal(whole.w, 8e3);
});
