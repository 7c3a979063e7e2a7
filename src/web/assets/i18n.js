// @ts-check
// The language: `?lang=`, else what was chosen here before, else the browser's.

import { TERMS } from './terms.js';

const KEY = 'sunledger.lang';
const LANGUAGES = ['en', 'zh-CN'];

function kept(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

/** Keeps a choice where the browser lets us. */
export function keep(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a kiosk without storage */ }
}

function pick(wish) {
  if (!wish) return null;
  return LANGUAGES.find((known) => known.toLowerCase() === wish.toLowerCase())
    ?? LANGUAGES.find((known) => known.slice(0, 2) === wish.slice(0, 2).toLowerCase()) ?? null;
}

const asked = pick(new URLSearchParams(location.search).get('lang'));
if (asked) keep(KEY, asked);
let language = asked ?? pick(kept(KEY)) ?? pick(navigator.language) ?? 'en';

export function lang() { return language; }

/** A term; `{name}` in it is replaced. A key without a term is shown as it is. */
export function t(key, values = {}) {
  const term = TERMS[key]?.[LANGUAGES.indexOf(language)] ?? key;
  return term.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Puts the terms into what the page was delivered with. */
export function translate() {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll('[data-t]')) {
    node.textContent = t(node.getAttribute('data-t') ?? '');
  }
}

/** The other language, kept and in the address, so that the page can be passed on. */
export function toggle() {
  language = language === 'en' ? 'zh-CN' : 'en';
  keep(KEY, language);
  const address = new URL(location.href);
  if (address.searchParams.has('lang')) {
    address.searchParams.set('lang', language);
    history.replaceState(null, '', address);
  }
  translate();
}

/** What is missing for a number: `needs pv-2: timeout`. */
export function needs(gaps) {
  const named = gaps.filter((gap) => gap.meter);
  if (!named.length) return gaps.length ? t('not_metered') : '';
  return t('needs', { list: named.map((gap) => `${gap.meter}: ${t(`reason_${gap.reason}`)}`).join(t('comma')) });
}

/** Whether a number is unknown because no meter would say it. */
export function isUnmetered(flow) {
  return flow.w === null && flow.gaps.length > 0 && flow.gaps.every((gap) => !gap.meter);
}
