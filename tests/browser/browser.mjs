// Debian's chromium with a page that notes everything that goes wrong in it.

import net from 'node:net';
import { chromium } from 'playwright-core';

/** Longer than anything here takes on a slow machine. */
export const PATIENCE = 30_000;

export function launch() {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--hide-scrollbars'],
  });
}

/**
 * Opens the live page and waits until the day is drawn.
 *
 * The park of the tests lives at a fixed moment, so the page's clock is set to it.
 */
export async function open(browser, url, { width = 1280, height = 800, dark = false, path = '/', scale = 1 } = {}) {
  const live = await (await fetch(`${url}/api/v1/live`)).json();
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', deviceScaleFactor: scale, locale: 'en-GB',
  });
  await context.addInitScript((shift) => {
    const real = Date.now.bind(Date);
    Date.now = () => real() + shift;
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  }, Date.parse(live.at) - Date.now());
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.trouble = [];
  page.on('console', (message) => { if (message.type() === 'error' || message.type() === 'warning') page.trouble.push(message.text()); });
  page.on('pageerror', (error) => page.trouble.push(error.stack));
  await page.goto(url + path);
  await page.waitForSelector('#heat-chart svg');
  await page.waitForSelector('.spark svg');
  return page;
}

/** Everything that went wrong in a page. */
export async function trouble(page) {
  return [...page.trouble, ...await page.evaluate(() => window.violations)];
}

/** A relay to a server that can be cut. */
export async function relay(url) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(Number(port), hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => { sockets.delete(one); other.destroy(); });
      one.pipe(other);
    }
  });
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  const cut = () => { server.close(); for (const socket of sockets) socket.destroy(); };
  return { url: `http://127.0.0.1:${server.address().port}`, cut };
}
