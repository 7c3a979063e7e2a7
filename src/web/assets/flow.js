// @ts-check
// The flow diagram: sources ─▶ bus ─▶ uses, the width of a link in proportion to
// its power. A number that is unknown has a dashed link, a negative one a hatched
// link whose arrow points the other way. Where heat and electricity turn into each
// other, the end of the link has the hue of the other balance.

import { svg, glyph } from './dom.js';
import { power, UNKNOWN } from './fmt.js';
import { t, needs } from './i18n.js';

const ROW = 27; // least height of a row: its text
const HEAD = 26; // above the bus: what passes through it
const NODE = 7;
const HUB = 12;

const size = (row) => Math.abs(row.w ?? 0);
const heightOf = (rows, scale) => rows.reduce((sum, row) => sum + Math.max(ROW, size(row) * scale + 7), 0);

/** Pixels per watt with which both sides fit. */
export function scaleFor(left, right, height) {
  const most = Math.max(...[left, right].map((rows) => rows.reduce((sum, row) => sum + size(row), 0)));
  if (!(most > 0)) return 0;
  let [low, high] = [0, (height * 0.72) / most];
  for (let step = 0; step < 40; step += 1) {
    const middle = (low + high) / 2;
    const fits = Math.max(heightOf(left, middle), heightOf(right, middle)) <= height;
    if (fits) low = middle; else high = middle;
  }
  return low;
}

/**
 * Where everything lies. Pure.
 * @param {{ left: any[], right: any[] }} model
 * @param {number} width
 * @param {number} least height
 */
export function place(model, width, least) {
  const rows = Math.max(model.left.length, model.right.length, 4);
  const height = Math.max(rows * ROW + 60, least - HEAD);
  const digits = Math.max(...[...model.left, ...model.right].map((row) => power(row.w).text.length), 3);
  const value = digits * (width < 520 ? 6.3 : 7.4) + 8;
  const label = width < 520 ? width * 0.385 : Math.min(200, Math.max(130 + value * 0.7, width * 0.27));
  const scale = scaleFor(model.left, model.right, height);
  const middle = width / 2;
  const side = (list, isLeft) => {
    const total = list.reduce((sum, row) => sum + size(row) * scale, 0);
    let y = HEAD + (height - heightOf(list, scale)) / 2;
    let hub = HEAD + (height - total) / 2;
    return list.map((row) => {
      const thick = size(row) * scale;
      const tall = Math.max(ROW, thick + 7);
      const placed = { row, thick, y: y + tall / 2, hub: hub + thick / 2, isLeft };
      y += tall;
      hub += thick;
      return placed;
    });
  };
  const links = [...side(model.left, true), ...side(model.right, false)];
  const hubs = links.map((link) => [link.hub - link.thick / 2, link.hub + link.thick / 2]).flat();
  const bus = { top: Math.min(...hubs, HEAD + height / 2 - 20), bottom: Math.max(...hubs, HEAD + height / 2 + 20) };
  return { width, height: height + HEAD, label, value, middle, links, bus };
}

function curve(from, to, y0, y1) {
  const bend = (from + to) / 2;
  return `M${from} ${y0}C${bend} ${y0} ${bend} ${y1} ${to} ${y1}`;
}

function band(from, to, y0, y1, thick) {
  const bend = (from + to) / 2;
  const half = thick / 2;
  return `M${from} ${y0 - half}C${bend} ${y0 - half} ${bend} ${y1 - half} ${to} ${y1 - half}`
    + `V${y1 + half}C${bend} ${y1 + half} ${bend} ${y0 + half} ${from} ${y0 + half}Z`;
}

/** As much of a text as fits into a number of pixels. */
export function fit(text, pixels, size = 13) {
  const widths = [...text].map((letter) => size * (letter > '\u2e80' ? 1 : 0.515));
  if (widths.reduce((sum, width) => sum + width, 0) <= pixels) return text;
  let room = pixels - 12;
  const kept = [...text].filter((_, i) => { room -= widths[i]; return room >= 0; });
  return `${kept.join('')}…`;
}

function drawLink(link, at) {
  const { row, thick, y, hub, isLeft } = link;
  const outer = isLeft ? at.label + NODE : at.width - at.label - NODE;
  const inner = isLeft ? at.middle - HUB / 2 : at.middle + HUB / 2;
  const group = svg('g', { class: `k-${row.kind}` });
  const negative = row.w !== null && row.w < 0;
  if (row.w === null) {
    group.append(svg('path', { d: curve(outer, inner, y, hub), class: 'link-unknown' }));
  } else if (thick < 0.75) {
    group.append(svg('path', { d: curve(outer, inner, y, hub), class: row.w === 0 ? 'link-zero' : 'link-thin' }));
  } else {
    group.append(svg('path', { d: band(outer, inner, y, hub, thick), class: negative ? 'link negative' : 'link' }));
  }
  const node = Math.max(thick, 3);
  group.append(svg('rect', {
    x: isLeft ? at.label : at.width - at.label - NODE, y: y - node / 2, width: NODE, height: node, rx: 1.5,
    class: row.w === null ? 'node-unknown' : row.note ? 'node couples' : 'node',
  }));
  if (thick >= 9) {
    const [dx, dy] = [negative ? -4 : 4, Math.min(6, thick / 3)];
    const [x, mid] = [outer + (inner - outer) * 0.12, y + (hub - y) * 0.03];
    group.append(svg('path', { d: `M${x - dx / 2} ${mid - dy}l${dx} ${dy}l${-dx} ${dy}`, class: 'chevron' }));
  }
  return group;
}

function drawLabel(link, at) {
  const { row, y, isLeft } = link;
  const said = power(row.w);
  const value = said.text === UNKNOWN ? UNKNOWN : said.text;
  const valueWidth = at.value;
  const x = isLeft ? 0 : at.width - at.label + 9;
  const end = isLeft ? at.label - 9 : at.width;
  const group = svg('g', { class: `label k-${row.kind} q-${row.quality}` });
  const name = svg('text', { x, y: y + 4.5, class: 'name' }, fit(row.label, Math.abs(end - x) - valueWidth, at.width < 520 ? 12 : 13));
  const parts = [row.label, value === UNKNOWN ? needs(row.gaps) : `${value} ${said.unit}`, row.note];
  if (row.w !== null && row.w < 0 && row.kind !== 'residual') parts.push(t('feeds_back'));
  name.append(svg('title', {}, parts.filter(Boolean).join(' · ')));
  group.append(name, svg('text', { x: end, y: y + 4.5, class: 'value', 'text-anchor': 'end', 'data-key': row.key }, value));
  if (row.quality !== 'good' && row.quality !== 'missing') {
    const mark = glyph(row.quality);
    for (const [key, v] of Object.entries({ x: end - valueWidth + 2, y: y - 6, width: 12, height: 12 })) mark.setAttribute(key, String(v));
    group.append(mark);
  }
  return group;
}

/** Draws a model into a box of the page, at least as high as its neighbour needs. */
export function draw(box, model, title, rows) {
  const width = box.clientWidth;
  if (!width) return;
  const at = place(model, width, Math.max(parseFloat(getComputedStyle(box).minHeight) || 0, rows * ROW + 60 + HEAD));
  const through = model.left.some((row) => row.w === null) ? null
    : model.left.reduce((sum, row) => sum + Math.max(row.w ?? 0, 0), 0);
  const said = power(through);
  const hatch = svg('pattern', { id: `${title}-hatch`, width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
    svg('rect', { width: 2, height: 5, class: 'hatch' }));
  const head = through === null ? model.hub : `${model.hub} ${said.text} ${said.unit}`;
  const picture = svg('svg', { width, height: at.height, viewBox: `0 0 ${width} ${at.height}`, role: 'img', 'aria-label': describe(model) },
    svg('defs', {}, hatch),
    ...at.links.map((link) => drawLink(link, at)),
    svg('rect', { x: at.middle - HUB / 2, y: at.bus.top, width: HUB, height: at.bus.bottom - at.bus.top, rx: 2, class: 'hub' }),
    svg('text', { x: at.middle, y: 14, 'text-anchor': 'middle', class: 'hub-name' }, head),
    ...at.links.map((link) => drawLabel(link, at)));
  box.replaceChildren(picture);
}

/** The diagram in words. */
function describe(model) {
  const said = (row) => {
    const { text, unit } = power(row.w);
    return `${row.label} ${text === UNKNOWN ? `${UNKNOWN} ${needs(row.gaps)}` : `${text} ${unit}`}`;
  };
  return `${model.left.map(said).join(', ')} → ${model.hub} → ${model.right.map(said).join(', ')}`;
}
