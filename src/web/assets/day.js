// @ts-check
// Today: its intervals, asked for once a minute, as two mirrors and as sums.

import { draw, stack, stepAt } from './chart.js';
import { byId, el, say, svg } from './dom.js';
import { clock, energyText, offsetMs, powerText, UNKNOWN } from './fmt.js';
import { t } from './i18n.js';

const HOUR = 3_600_000;

/** The two mirrors: names of flows, from the axis outwards. */
const MIRRORS = [
  { id: 'electricity', up: ['generation', 'battery_discharge', 'import'], down: ['load', 'battery_charge', 'export'] },
  {
    id: 'heat', up: ['solar_field', 'boilers', 'electric_boiler', 'heat_pump', 'storage_discharge'],
    down: ['supplied', 'to_power', 'storage_charge', 'heat_losses'],
  },
];

const NAMES = {
  generation: 's_generation', load: 's_load', supplied: 's_supplied', heat_losses: 'network_losses',
  electric_boiler: 'electric_boiler_heat', heat_pump: 'heat_pump_heat',
};

/** What an interval says of a flow; `undefined` where the park has no meter for it. */
function whOf(flow) {
  if (!flow || (flow.wh === null && !flow.missing.length)) return undefined;
  return flow.wh === null ? null : Number(flow.wh);
}

/** Intervals of the API as steps of the chart. Pure. */
export function toSteps(intervals, now) {
  return intervals.map((interval) => {
    const [start, end] = [Date.parse(interval.start), Date.parse(interval.end)];
    const open = interval.state === 'open' && end > now;
    const until = open ? Math.min(end, now) : end;
    const hours = (until - start) / HOUR;
    /** @type {any} */
    const step = { start, end, until, open, watts: {}, wh: {}, quality: {}, hours };
    for (const [name, flow] of Object.entries(interval.flows)) {
      const wh = whOf(flow);
      if (wh === undefined) continue;
      step.wh[name] = wh;
      step.watts[name] = wh === null ? null : wh / hours;
      step.quality[name] = flow.quality;
    }
    return step;
  }).filter((step) => !step.open || step.hours > 1 / 60);
}

/** The sum of a flow over the day; partial where an interval is missing or unknown. */
export function total(steps, name, from, now) {
  const known = steps.filter((step) => typeof step.wh[name] === 'number');
  if (!known.length) return { wh: null, partial: false };
  const covered = known.reduce((ms, step) => ms + Math.min(step.end, now) - step.start, 0);
  return { wh: known.reduce((sum, step) => sum + step.wh[name], 0), partial: now - from - covered > 90_000 };
}

export class Day {
  constructor() {
    this.data = null;
    this.cursor = null;
    this.asked = -Infinity;
    for (const mirror of MIRRORS) this.listen(mirror);
  }

  listen(mirror) {
    const box = byId(`${mirror.id}-chart`);
    box.tabIndex = 0;
    box.setAttribute('role', 'group');
    box.setAttribute('aria-labelledby', `${mirror.id}-day-title`);
    const put = (cursor) => { if (cursor !== this.cursor) { this.cursor = cursor; this.render(); } };
    box.addEventListener('pointermove', (event) => this.data && put(stepAt(box, this.data, event.offsetX)));
    box.addEventListener('pointerleave', () => put(null));
    box.addEventListener('blur', () => put(null));
    box.addEventListener('keydown', (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move || !this.data?.steps.length) return;
      event.preventDefault();
      const last = this.data.steps.length - 1;
      put(Math.min(last, Math.max(0, (this.cursor ?? last + 1) + move)));
    });
  }

  /** Asks for the day of a frame where the last answer is a minute old; whether there is a new one. */
  async follow(live) {
    const date = live.at.slice(0, 10);
    const now = performance.now();
    if (date === this.date && now - this.asked < 60_000) return false;
    this.date = date;
    this.asked = now;
    try {
      const answer = await fetch(`/api/v1/intervals?from=${date}&to=${date}`, { cache: 'no-store' });
      if (!answer.ok) return false;
      this.take(await answer.json(), Date.parse(live.at), offsetMs(live.at));
      return true;
    } catch {
      return false; // the stream says that the line is dead
    }
  }

  take(answer, now, offset) {
    const [from, to] = [Date.parse(answer.from), Date.parse(answer.to)];
    this.data = { from, to, now, offset, zone: answer.time_zone, steps: toSteps(answer.intervals, now), ticks: ticks(from, to, answer.time_zone, offset) };
    this.render();
  }

  total(name) {
    if (!this.data) return { wh: null, partial: false };
    return total(this.data.steps, name, this.data.from, this.data.now);
  }

  render() {
    for (const mirror of MIRRORS) this.renderMirror(mirror);
  }

  renderMirror({ id, up, down }) {
    const box = byId(`${id}-chart`);
    const day = this.data;
    if (!day) return;
    const step = this.cursor === null ? null : day.steps[this.cursor];
    // What is unknown all day has its place too: it is not zero.
    const used = (names) => names.filter((name) => day.steps.some((one) => one.wh[name] || one.wh[name] === null));
    const [ups, downs] = [used(up), used(down)];
    if (day.steps.length) draw(box, { ...day, up: ups, down: downs, title: id, cursor: this.cursor });
    else box.replaceChildren(el('p', { class: 'empty' }, t('no_history')));
    const when = step ? `${clock(step.start, day.offset).slice(0, 5)}–${clock(step.end, day.offset).slice(0, 5)}${step.open ? ` ${t('open')}` : ''}` : t('day_totals');
    say(byId(`${id}-when`), when);
    const swatch = (attributes) => svg('svg', { width: 12, height: 12, class: 'swatch' }, svg('rect', { width: 12, height: 12, rx: 2, ...attributes }));
    const entry = (name) => {
      const { wh, partial } = this.total(name);
      const watts = step?.watts[name];
      const value = step ? powerText(watts ?? null) : energyText(wh, id === 'heat');
      const words = [el('span', {}, t(NAMES[name] ?? name)), el('b', {}, value)];
      if (!step && partial && value !== UNKNOWN) words.push(el('i', {}, t('partial')));
      return el('li', {}, swatch({ class: `series s-${name}` }), ...words);
    };
    const entries = [...ups, ...downs].map(entry);
    if (day.steps.some((one) => stack(one, ups, downs) === null)) {
      entries.push(el('li', {}, swatch({ fill: `url(#${id}-gap)`, class: 'frame' }), t('gap')));
    }
    byId(`${id}-legend`).replaceChildren(...entries);
  }
}

/** Every third hour of the park's day; right on days of 23 and 25 hours too. */
function ticks(from, to, zone, offset) {
  let text = (ms) => clock(ms, offset).slice(0, 5);
  try {
    const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    text = (ms) => format.format(ms);
  } catch { /* a zone this browser does not know: its offset will do */ }
  const found = [];
  for (let at = from; at < to; at += HOUR) {
    const said = text(at);
    if (said.endsWith(':00') && Number(said.slice(0, 2)) % 3 === 0) found.push({ at, text: said });
  }
  return [...found, { at: to, text: '24:00' }];
}
