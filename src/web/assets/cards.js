// @ts-check
// The four big numbers, each with its day.

import { byId, el, glyph, say, svg, dress } from './dom.js';
import { energyText, percent, power, UNKNOWN } from './fmt.js';
import { needs, t } from './i18n.js';

/** Share of what flows below which the grid counts as balanced, so that the arrow does not flap. */
const DEAD_BAND = 0.002;

/** Net grid power with its direction as a word and an arrow. Pure. */
export function net({ import: into, export: out, generation, load }) {
  const gaps = [...into.gaps, ...out.gaps];
  if (into.w === null || out.w === null) return { w: null, word: '', arrow: '', quality: 'missing', gaps };
  const w = into.w - out.w;
  const size = Math.max(...[into, out, generation, load].map((flow) => Math.abs(flow.w ?? 0)));
  const quality = into.quality === 'good' ? out.quality : into.quality;
  if (Math.abs(w) <= size * DEAD_BAND) return { w: Math.abs(w), word: 'balanced', arrow: '↔', quality, gaps };
  return w < 0 ? { w: -w, word: 'exporting', arrow: '↑', quality, gaps } : { w, word: 'importing', arrow: '↓', quality, gaps };
}

const flowOf = (flow) => ({ ...flow, word: '', arrow: '' });

const CARDS = [
  {
    id: 'net', title: 'net_grid', carrier: 'electric', now: (live) => net(live.electricity), spark: 'net',
    facts: [['today_exported', 'export'], ['today_imported', 'import']],
  },
  {
    id: 'generation', title: 'generation', carrier: 'electric', now: (live) => flowOf(live.electricity.generation), spark: 'generation',
    facts: [['today_generated', 'generation'], ['self_consumption', null]],
  },
  {
    id: 'load', title: 'load', carrier: 'electric', now: (live) => flowOf(live.electricity.load), spark: 'load',
    facts: [['today_used', 'load'], ['self_sufficiency', null]],
  },
  {
    id: 'supplied', title: 'supplied', carrier: 'heat', now: (live) => flowOf(live.heat.supplied), spark: 'supplied',
    facts: [['today_supplied', 'supplied'], ['solar_fraction', null]],
  },
];

function build(card) {
  const part = (name, tag = 'span') => el(tag, { class: name, 'data-part': name });
  const facts = card.facts.map((_, i) => el('div', {}, el('dt', { 'data-part': `dt${i}` }), el('dd', { 'data-part': `dd${i}` })));
  return el('article', { class: `card ${card.carrier}`, id: `card-${card.id}` },
    el('header', {}, el('h2', { 'data-part': 'title' }), part('mark')),
    el('p', { class: 'big' }, part('word'), part('arrow'), part('number', 'strong'), part('unit'), part('needs')),
    el('div', { class: 'spark', 'data-part': 'spark' }),
    el('dl', {}, ...facts));
}

/** Means of the day's intervals as a line; a gap interrupts it. Export is upwards, as its arrow. */
function sparkline(day, name) {
  const { steps, from, to } = day.data;
  const value = (step) => (name === 'net'
    ? (typeof step.watts.import === 'number' && typeof step.watts.export === 'number' ? step.watts.export - step.watts.import : null)
    : step.watts[name] ?? null);
  const known = steps.map(value).filter((watts) => watts !== null);
  if (!known.length) return null;
  const [high, low] = [Math.max(0, ...known), Math.min(0, ...known)];
  const x = (ms) => ((ms - from) / (to - from)) * 200;
  const y = (watts) => 2 + ((high - watts) / Math.max(high - low, 1)) * 36;
  let line = '';
  let area = '';
  let run = [];
  const close = () => {
    if (run.length) {
      line += `M${run.join('L')}`;
      area += `M${run[0].split(' ')[0]} ${y(0).toFixed(1)}L${run.join('L')}V${y(0).toFixed(1)}Z`;
    }
    run = [];
  };
  for (const step of steps) {
    const watts = value(step);
    if (watts === null) { close(); continue; }
    const yy = y(watts).toFixed(1);
    run.push(`${x(step.start).toFixed(1)} ${yy}`, `${x(step.until).toFixed(1)} ${yy}`);
  }
  close();
  return svg('svg', { viewBox: '0 0 200 40', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('path', { d: area, class: 'spark-area' }),
    svg('line', { x1: 0, x2: 200, y1: y(0), y2: y(0), class: 'spark-zero' }),
    svg('path', { d: line, class: 'spark-line' }));
}

/** From when a ratio counts, where that is not the park's midnight. */
export function since(live, term) {
  const from = live.ratios[term] === null ? null : live.ratios.from;
  if (!from || from.slice(11, 16) === '00:00') return '';
  return ` ${t('since', { time: from.slice(11, 16) })}`;
}

/** Shows a frame. */
export function render(live, day) {
  const box = byId('cards');
  if (!box.children.length) box.append(...CARDS.map(build));
  for (const card of CARDS) {
    const article = byId(`card-${card.id}`);
    const part = (name) => /** @type {Element} */ (article.querySelector(`[data-part=${name}]`));
    const now = card.now(live);
    const { text, unit } = power(now.w);
    say(part('title'), t(card.title));
    say(part('word'), now.word ? t(now.word) : '');
    say(part('arrow'), now.arrow);
    say(part('number'), text);
    say(part('unit'), text === UNKNOWN ? '' : unit);
    say(part('needs'), now.w === null ? needs(now.gaps) : '');
    dress(article, `card ${card.carrier} q-${now.quality}`);
    const word = now.quality === 'good' ? '' : t(`q_${now.quality}`);
    if (part('mark').textContent !== word) {
      part('mark').replaceChildren(...(word ? [glyph(now.quality), word] : []));
    }
    card.facts.forEach(([term, flow], i) => {
      say(part(`dt${i}`), t(term));
      if (flow === null) return say(part(`dd${i}`), percent(live.ratios[term]) + since(live, term));
      const { wh, partial } = day.total(flow);
      return say(part(`dd${i}`), energyText(wh, card.carrier === 'heat') + (partial && wh !== null ? ` ${t('partial')}` : ''));
    });
  }
}

/** Shows the day behind the numbers. */
export function renderDay(day) {
  if (!day.data) return;
  for (const card of CARDS) {
    const line = sparkline(day, card.spark);
    document.querySelector(`#card-${card.id} .spark`)?.replaceChildren(...(line ? [line] : []));
  }
}
