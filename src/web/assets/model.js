// @ts-check
// What the two diagrams show: sources on the left, uses on the right.
//
// Numbers are the server's; a sum is made here of meters of one kind alone, and
// is unknown when one of them is. A term that the park does not have (known, zero,
// resting on no reading) has no row.

import { t, needs, isUnmetered } from './i18n.js';

/** Most rows of one kind before they become one. */
const MOST = 6;

/**
 * @typedef {{ key: string, label: string, w: number | null, quality: string, kind: string,
 *   gaps: any[], note?: string }} Row
 * @typedef {{ hub: string, left: Row[], right: Row[] }} Model
 */

const exists = (flow) => !(flow.w === 0 && flow.age_s === null && flow.gaps.length === 0);

/** @returns {Row[]} */
function term(key, label, flow, kind, note) {
  if (!flow || !exists(flow) || isUnmetered(flow)) return [];
  return [{ key, label, w: flow.w, quality: flow.quality, kind, gaps: flow.gaps, note }];
}

function gapsOf(meters) {
  return meters.filter((meter) => meter.power_w === null)
    .map((meter) => ({ meter: meter.id, reason: meter.reason ?? 'not_available' }));
}

const ORDER = ['good', 'interpolated', 'estimated', 'derived', 'manual', 'stale', 'suspect', 'missing'];
const worst = (meters) => meters.map((meter) => meter.quality)
  .reduce((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a), 'good');

/** The meters of a role: one row each, or one for all that are known. @returns {Row[]} */
function meters(live, role, kind, { note = '', together = '', limit = MOST } = {}) {
  const all = live.meters.filter((meter) => meter.role === role);
  if (all.length <= limit || (all.length <= MOST && gapsOf(all).length)) {
    return all.map((meter) => ({
      key: `meter ${meter.id}`, label: all.length === 1 && !together ? t(`role_${role}`) : meter.id,
      w: meter.power_w, quality: meter.power_w === null ? 'missing' : meter.quality, kind, gaps: gapsOf([meter]), note,
    }));
  }
  const gaps = gapsOf(all);
  const w = gaps.length ? null : all.reduce((sum, meter) => sum + meter.power_w, 0);
  const label = together ? t(together, { n: all.length }) : `${t(`role_${role}`)} (${all.length})`;
  return [{ key: `role ${role}`, label, w, quality: w === null ? 'missing' : worst(all), kind, gaps, note }];
}

/** What is left of the load where not every load has a meter. @returns {Row[]} */
function rest(live, metered) {
  const { load, losses, residual } = live.electricity;
  if (!isUnmetered(residual)) return [];
  const parts = [load.w, ...metered.map((row) => row.w)];
  if (parts.some((w) => w === null)) {
    return load.w === null && !metered.length ? term('load', t('load'), load, 'use') : [];
  }
  const w = load.w - metered.reduce((sum, row) => sum + row.w, 0) - (losses.w ?? 0);
  return [{ key: 'rest', label: t('rest'), w, quality: 'derived', kind: 'use', gaps: [] }];
}

/** @returns {Model} */
export function electricity(live) {
  const flows = live.electricity;
  const loads = [
    ...meters(live, 'tenant', 'use', { together: 'tenants' }),
    ...meters(live, 'auxiliary', 'use', { limit: 1 }),
    ...meters(live, 'electric_boiler', 'use', { limit: 1, note: t('into_heat') }),
    ...meters(live, 'heat_pump', 'use', { limit: 1, note: t('into_heat') }),
  ];
  return {
    hub: t('bus'),
    left: [
      ...meters(live, 'pv', 'make', { limit: 1 }),
      ...meters(live, 'turbine', 'make', { limit: 1, note: t('from_heat') }),
      ...term('battery_discharge', t('battery_discharge'), flows.battery_discharge, 'store'),
      ...term('import', t('import'), flows.import, 'grid'),
    ],
    right: [
      ...loads,
      ...rest(live, loads),
      ...term('losses', t('losses'), flows.losses, 'loss'),
      ...term('residual', t('residual'), flows.residual, 'residual'),
      ...term('battery_charge', t('battery_charge'), flows.battery_charge, 'store'),
      ...term('export', t('export'), flows.export, 'grid'),
    ],
  };
}

/** @returns {Model} */
export function heat(live) {
  const flows = live.heat;
  const customers = live.meters.filter((meter) => meter.role === 'heat_consumer');
  const few = customers.length > 1 && customers.length <= MOST;
  return {
    hub: t('heat_bus'),
    left: [
      ...term('solar_field', t('solar_field'), flows.solar_field, 'make'),
      ...term('boilers', t('boilers'), flows.boilers, 'make'),
      ...term('electric_boiler', t('electric_boiler_heat'), flows.electric_boiler, 'make', t('from_power')),
      ...term('heat_pump', t('heat_pump_heat'), flows.heat_pump, 'make', t('from_power')),
      ...term('storage_discharge', t('storage_discharge'), flows.storage_discharge, 'store'),
    ],
    right: [
      ...(few ? meters(live, 'heat_consumer', 'use', { together: 'consumers' })
        : term('supplied', t('consumers', { n: customers.length }), flows.supplied, 'use')),
      ...term('to_power', t('to_power'), flows.to_power, 'grid', t('into_power')),
      ...term('storage_charge', t('storage_charge'), flows.storage_charge, 'store'),
      ...term('losses', t('network_losses'), flows.losses, 'loss'),
      ...term('residual', t('residual'), flows.residual, 'residual'),
    ],
  };
}

/** What the unknown numbers of a balance need, one line each kind of need. */
export function missing(flows, label) {
  const by = new Map();
  for (const [name, flow] of Object.entries(flows)) {
    if (flow.w !== null || isUnmetered(flow)) continue;
    const need = needs(flow.gaps);
    by.set(need, [...(by.get(need) ?? []), label(name)]);
  }
  return [...by].map(([need, names]) => `${names.join(t('comma'))}${t('colon')}${need}`);
}
