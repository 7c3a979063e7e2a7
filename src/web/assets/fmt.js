// @ts-check
// Numbers as people at a control desk read them. Unknown is `--`, never zero.

export const UNKNOWN = '--';

/** Digits in groups of three, a true minus sign. */
export function number(value, decimals) {
  const text = Math.abs(value).toFixed(decimals);
  const [whole, part] = text.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, '\u202f');
  const minus = value < 0 && Number(text) !== 0 ? '\u2212' : '';
  return minus + grouped + (part ? `.${part}` : '');
}

function decimals(value) {
  const size = Math.abs(value);
  return size >= 99.95 || size === 0 ? 0 : size >= 0.995 ? 1 : 2;
}

/** Power as number and unit: kW up to 100 MW, so that the parts of a sum share it. */
export function power(w) {
  if (w === null || w === undefined) return { text: UNKNOWN, unit: 'kW' };
  if (Math.abs(w) >= 99_999_500) return { text: number(w / 1e6, 1), unit: 'MW' };
  return { text: number(w / 1e3, decimals(w / 1e3)), unit: 'kW' };
}

/** Power as one text. */
export function powerText(w) {
  const { text, unit } = power(w);
  return text === UNKNOWN ? UNKNOWN : `${text}\u00a0${unit}`;
}

/** Energy as one text; heat in GJ where it is billed so. */
export function energyText(wh, asHeat = false) {
  if (wh === null) return UNKNOWN;
  if (asHeat) return `${number(wh * 3.6e-6, decimals(wh * 3.6e-6))}\u00a0GJ`;
  if (Math.abs(wh) >= 99_999_500) return `${number(wh / 1e6, 1)}\u00a0MWh`;
  return `${number(wh / 1e3, decimals(wh / 1e3))}\u00a0kWh`;
}

/** A ratio in percent. */
export function percent(ratio) {
  return ratio === null || ratio === undefined ? UNKNOWN : `${number(ratio * 100, 1)}\u00a0%`;
}

/** A time that has passed. */
export function age(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  const s = Math.max(0, seconds);
  if (s < 9.95) return `${s.toFixed(1)}\u00a0s`;
  if (s < 59.5) return `${Math.round(s)}\u00a0s`;
  const two = (n) => String(n).padStart(2, '0');
  const whole = Math.round(s);
  if (s < 3600) return `${Math.floor(whole / 60)}\u00a0min ${two(whole % 60)}\u00a0s`;
  if (s < 86400) return `${Math.floor(whole / 3600)}\u00a0h ${two(Math.floor(whole / 60) % 60)}\u00a0min`;
  return `${Math.floor(whole / 86400)}\u00a0d ${Math.floor(whole / 3600) % 24}\u00a0h`;
}

/** The offset from UTC in an RFC 3339 text, in milliseconds. */
export function offsetMs(text) {
  const found = /([+-])(\d\d):?(\d\d)$/.exec(text);
  if (!found) return 0;
  return (found[1] === '-' ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3])) * 60_000;
}

/** The wall time `HH:MM:SS` of an instant at an offset. */
export function clock(ms, offset) {
  return new Date(ms + offset).toISOString().slice(11, 19);
}

/** Other momentary values of a meter: field of the schema → text. */
const FIELDS = [
  ['temp_supply_degc', 1, '°C'], ['temp_return_degc', 1, '°C'], ['temp_degc', 1, '°C'], ['flow_m3h', 1, 'm³/h'],
  ['soc_pct', 1, '%'], ['dni_wm2', 0, 'W/m²'], ['ghi_wm2', 0, 'W/m²'], ['irradiance_wm2', 0, 'W/m²'],
  ['wind_ms', 1, 'm/s'], ['level_m', 2, 'm'],
];

/** The values that say most about a meter, at most `limit`. */
export function details(values, limit = 3) {
  const said = FIELDS.filter(([field]) => typeof values?.[String(field)] === 'number');
  return said.slice(0, limit).map(([field, digits, unit]) => `${number(values[String(field)], Number(digits))}\u00a0${unit}`);
}
