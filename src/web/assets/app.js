// @ts-check
// The page: the stream in, the parts of the page out.

import * as books from './books.js';
import * as cards from './cards.js';
import { Day } from './day.js';
import { byId, dress, el, say } from './dom.js';
import { age, clock, offsetMs, percent, powerText } from './fmt.js';
import { draw } from './flow.js';
import { keep, lang, t, toggle, translate } from './i18n.js';
import { electricity, heat, missing } from './model.js';
import { Stream } from './stream.js';
import * as tables from './tables.js';

/** Data older than this is stale: a few ticks. */
const STALE_S = 5;
/** A browser clock that differs by less is nobody's worry. */
const CLOCK_MS = 5_000;

let live = null;
let version = null;
const day = new Day();

function balance(name, model, flows, whole, rows) {
  draw(byId(`${name}-flow`), model, name, rows);
  const { residual } = flows;
  const rate = residual.w !== null && whole ? percent(Math.abs(residual.w) / Math.abs(whole)) : null;
  say(byId(`${name}-residual`), rate === null ? '' : t('residual_rate', { power: powerText(residual.w), rate }));
  const label = (flow) => t(flow === 'losses' && name === 'heat' ? 'network_losses' : NAMES[flow] ?? flow);
  byId(`${name}-needs`).replaceChildren(...missing(flows, label).map((line) => el('span', {}, line)));
}

const NAMES = { electric_boiler: 'electric_boiler_heat', heat_pump: 'heat_pump_heat', generation: 's_generation', load: 's_load', supplied: 's_supplied', self_consumption: 's_self' };

function render() {
  if (!live) return;
  say(byId('park'), live.name ?? live.park);
  document.title = `${live.name ?? live.park} · Sunledger`;
  cards.render(live, day);
  const models = [electricity(live), heat(live)];
  // Side by side both are as high as the higher one.
  const beside = byId('heat-flow').offsetTop === byId('electricity-flow').offsetTop;
  const rows = beside ? Math.max(...models.flatMap((model) => [model.left.length, model.right.length])) : 0;
  balance('electricity', models[0], live.electricity, live.electricity.load.w, rows);
  balance('heat', models[1], live.heat, heatIn(live.heat), rows);
  books.render(live);
  say(byId('about'), `Sunledger ${live.version} · ${live.park} · ${live.time_zone}`);
  tick();
}

const SOURCES = ['solar_field', 'boilers', 'electric_boiler', 'heat_pump', 'storage_discharge'];

/** All heat that comes in; unknown where one source is. */
function heatIn(flows) {
  const parts = SOURCES.map((name) => flows[name].w);
  return parts.includes(null) ? null : parts.reduce((sum, w) => sum + w, 0);
}

/** What changes without a frame: ages, clocks, the state of the line. */
function tick() {
  const now = stream.now();
  const late = live && now !== null ? (now - Date.parse(live.at)) / 1000 : null;
  const stale = late !== null && late > STALE_S;
  const word = live === null ? 'waiting' : !stale ? 'live' : stream.connected ? 'stale' : 'no_link';
  const state = byId('state');
  say(state, `${t(word)}${late === null ? '' : ` ${age(late)}`}`);
  dress(state, `state is-${word}`);
  document.body.classList.toggle('stale', stale);
  const bar = byId('bar');
  bar.hidden = !stale;
  if (!live || now === null || late === null) return;
  const offset = offsetMs(live.at);
  if (stale) say(bar, t('interrupted', { time: clock(Date.parse(live.at), offset) }));
  say(byId('local-time'), clock(now, offset));
  say(byId('data-time'), clock(Date.parse(live.at), offset));
  say(byId('stored-until'), live.stored_until ? clock(Date.parse(live.stored_until), offset) : '--');
  const warnings = [];
  if (live.findings.length) warnings.push(t('findings_count', { n: live.findings.length }));
  const open = (live.closure?.nodes ?? []).filter((node) => node.standing).length;
  if (open) warnings.push(t('open_nodes', { n: open }));
  if (live.clock === 'untrusted') warnings.push(t('clock_untrusted'));
  if (Math.abs(Date.now() - now) > CLOCK_MS) warnings.push(t('browser_clock', { age: age(Math.abs(Date.now() - now) / 1000) }));
  say(byId('warnings'), warnings.join(' · '));
  tables.meters(live, Math.max(0, late));
  tables.sinks(live, now);
}

const THEME = 'sunledger.theme';

function theme(next) {
  if (next) { document.documentElement.dataset.theme = next; keep(THEME, next); }
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  say(byId('theme'), t(dark ? 'theme_light' : 'theme_dark'));
  return dark;
}

function words() {
  translate();
  say(byId('lang'), t('language'));
  byId('lang').lang = lang() === 'en' ? 'zh-CN' : 'en';
  theme('');
}

try { theme(localStorage.getItem(THEME) ?? ''); } catch { /* a kiosk without storage */ }
words();
byId('lang').addEventListener('click', () => { toggle(); words(); render(); day.render(); });
byId('theme').addEventListener('click', () => theme(theme('') ? 'light' : 'dark'));

const stream = new Stream({
  frame(next) {
    live = next;
    render();
    day.follow(next).then((isNew) => {
      if (!isNew) return;
      cards.render(live, day);
      cards.renderDay(day);
    });
  },
  version(said) {
    // A page of another version than its server reloads itself.
    if (version !== null && version !== said) location.reload();
    version = said;
  },
});

setInterval(tick, 1_000);
tick();
new ResizeObserver(() => { render(); day.render(); }).observe(byId('electricity-flow'));
