// @ts-check
// The day as a mirror: what comes in stacks upwards, what goes out downwards, so
// a balance that closes is a symmetrical picture. Each interval is a step, its
// height the mean power. An interval with an unknown number is a gap, hatched,
// with nothing drawn across it. A negative number stacks the other way.

import { svg } from './dom.js';
import { number } from './fmt.js';

const LEFT = 46;
const RIGHT = 6;
const TOP = 8;
const BOTTOM = 20;

/**
 * @typedef {{ start: number, end: number, until: number, open: boolean, watts: Record<string, number | null>,
 *   wh: Record<string, number | null>, quality: Record<string, string> }} Step
 */

/** Stacks of one step, watts from the axis; `null` where a number is unknown. */
export function stack(step, up, down) {
  let [high, low] = [0, 0];
  const parts = [];
  for (const [names, sign] of [[up, 1], [down, -1]]) {
    for (const name of names) {
      const watts = step.watts[name];
      if (watts === undefined) continue;
      if (watts === null) return null;
      const signed = watts * sign;
      const base = signed >= 0 ? high : low;
      if (signed >= 0) high += signed; else low += signed;
      parts.push({ name, from: base, to: base + signed });
    }
  }
  return { parts, high, low };
}

/** A round distance between lines so that about `count` of them fit. */
export function grid(range, count) {
  if (!(range > 0)) return 1;
  const rough = range / count;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * magnitude >= rough) ?? 10;
  return step * magnitude;
}

/** Measured, or computed from what was measured: nothing of it is a guess. */
const SOUND = new Set(['good', 'derived']);

/** The steps of a chart as paths by series. Pure. */
export function shape(steps, up, down, x, y) {
  /** @type {Record<string, string>} */
  const paths = {};
  const gaps = [];
  const doubtful = [];
  for (const step of steps) {
    const stacked = stack(step, up, down);
    const [x0, x1] = [x(step.start), x(step.until)];
    if (!stacked) { gaps.push([x0, x1]); continue; }
    if ([...up, ...down].some((name) => !SOUND.has(step.quality[name] ?? 'good'))) doubtful.push([x0, x1]);
    for (const part of stacked.parts) {
      if (part.from === part.to) continue;
      const key = step.open ? `${part.name} open` : part.name;
      paths[key] = `${paths[key] ?? ''}M${x0.toFixed(1)} ${y(part.from).toFixed(1)}V${y(part.to).toFixed(1)}H${x1.toFixed(1)}V${y(part.from).toFixed(1)}Z`;
    }
  }
  return { paths, gaps, doubtful };
}

/** Highest and lowest point of all steps. */
export function extent(steps, up, down) {
  let [high, low] = [0, 0];
  for (const step of steps) {
    const stacked = stack(step, up, down);
    if (stacked) { high = Math.max(high, stacked.high); low = Math.min(low, stacked.low); }
  }
  return { high, low };
}

/**
 * Draws a day into a box.
 * @param {HTMLElement} box
 * @param {{ from: number, to: number, now: number, steps: Step[], up: string[], down: string[],
 *   ticks: { at: number, text: string }[], title: string, cursor: number | null }} day
 */
export function draw(box, day) {
  const [width, height] = [box.clientWidth, box.clientHeight];
  if (!width || !height) return;
  const { high, low } = extent(day.steps, day.up, day.down);
  const unit = grid(Math.max(high - low, 1000), 6);
  const [top, bottom] = [Math.max(unit, Math.ceil(high / unit) * unit), Math.min(-unit, Math.floor(low / unit) * unit)];
  const x = (ms) => LEFT + ((ms - day.from) / (day.to - day.from)) * (width - LEFT - RIGHT);
  const y = (watts) => TOP + ((top - watts) / (top - bottom)) * (height - TOP - BOTTOM);
  const { paths, gaps, doubtful } = shape(day.steps, day.up, day.down, x, y);
  const parts = [];
  for (let level = bottom; level <= top + unit / 2; level += unit) {
    const zero = Math.abs(level) < unit / 2;
    const [label, yy] = [number(Math.abs(level) / 1e3, unit < 1000 ? 1 : 0), Math.round(y(level)) + 0.5];
    if (!zero) parts.push(svg('line', { x1: LEFT, x2: width - RIGHT, y1: yy, y2: yy, class: 'grid' }));
    parts.push(svg('text', { x: LEFT - 6, y: yy + 4, 'text-anchor': 'end', class: 'tick' }, zero ? '0' : label));
  }
  parts.push(svg('text', { x: LEFT + 5, y: TOP + 12, class: 'tick' }, 'kW'));
  const every = width < 460 ? 2 : 1;
  for (const tick of day.ticks.filter((_, i) => i % every === 0)) {
    const xx = Math.round(x(tick.at)) + 0.5;
    parts.push(svg('line', { x1: xx, x2: xx, y1: TOP, y2: height - BOTTOM, class: 'grid' }));
    parts.push(svg('text', { x: xx, y: height - 5, 'text-anchor': tick.at === day.from ? 'start' : tick.at >= day.to ? 'end' : 'middle', class: 'tick' }, tick.text));
  }
  for (const [x0, x1] of gaps) parts.push(svg('rect', { x: x0, y: TOP, width: Math.max(x1 - x0, 1), height: height - TOP - BOTTOM, class: 'gap', fill: `url(#${day.title}-gap)` }));
  for (const [key, d] of Object.entries(paths)) {
    const [name, open] = key.split(' ');
    parts.push(svg('path', { d, class: `series s-${name}${open ? ' open' : ''}` }));
  }
  for (const [x0, x1] of doubtful) parts.push(svg('rect', { x: x0, y: TOP, width: Math.max(x1 - x0, 1), height: height - TOP - BOTTOM, fill: `url(#${day.title}-doubt)` }));
  const axis = Math.round(y(0)) + 0.5;
  parts.push(svg('line', { x1: LEFT, x2: width - RIGHT, y1: axis, y2: axis, class: 'axis' }));
  if (day.now > day.from && day.now < day.to) {
    parts.push(svg('line', { x1: x(day.now), x2: x(day.now), y1: TOP, y2: height - BOTTOM, class: 'now' }));
  }
  if (day.cursor !== null) {
    const step = day.steps[day.cursor];
    if (step) parts.push(svg('rect', { x: x(step.start), y: TOP, width: Math.max(x(step.end) - x(step.start), 1), height: height - TOP - BOTTOM, class: 'cursor' }));
  }
  const pattern = (id, ...inside) => svg('pattern', { id: `${day.title}-${id}`, width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, ...inside);
  const defs = svg('defs', {}, pattern('gap', svg('rect', { width: 1.5, height: 6, class: 'hatch' })), pattern('doubt', svg('rect', { width: 1.5, height: 6, class: 'hatch-light' })));
  box.replaceChildren(svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-labelledby': `${day.title}-day-title` }, defs, ...parts));
}

/** The interval under a place of the box; `null` beside them. */
export function stepAt(box, day, pixel) {
  const ms = day.from + ((pixel - LEFT) / (box.clientWidth - LEFT - RIGHT)) * (day.to - day.from);
  const found = day.steps.findIndex((step) => step.start <= ms && ms < step.end);
  return found < 0 ? null : found;
}
