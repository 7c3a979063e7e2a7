// Takes the picture of the README: node picture.mjs URL OUT.png [light|dark] [WIDTHxHEIGHT]

import { launch, open, trouble } from './browser.mjs';

const [url, out, theme = 'light', size = '1760x990'] = process.argv.slice(2);
if (!url || !out) {
  console.error('node picture.mjs URL OUT.png [light|dark] [WIDTHxHEIGHT]');
  process.exit(64);
}
const [width, height] = size.split('x').map(Number);
const browser = await launch();
try {
  const page = await open(browser, url.replace(/\/$/, ''), { width, height, dark: theme === 'dark', path: '/?lang=en', scale: 1.5 });
  await page.waitForTimeout(1_500); // a second frame: the day's sums are in
  await page.screenshot({ path: out });
  const wrong = await trouble(page);
  if (wrong.length) throw new Error(wrong.join('\n'));
} finally {
  await browser.close();
}
