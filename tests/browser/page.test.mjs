// The live page in a browser, against a park whose numbers are known.
//
// FAIR_URL, GAPS_URL, NIGHT_URL: three servers (tests/it/web.rs); SCREENSHOTS: a folder.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { launch, open, relay, trouble, PATIENCE } from './browser.mjs';

const { FAIR_URL, GAPS_URL, NIGHT_URL, SCREENSHOTS } = process.env;
let browser;

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser.close());

const shot = (page, name, fullPage = false) => page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage });
const textOf = (page, selector) => page.textContent(selector);

/** The number that a person reads. */
function read(text) {
  return Number(text.replaceAll('\u202f', '').replaceAll('\u2212', '-'));
}

async function done(page) {
  assert.deepEqual(await trouble(page), []);
  await page.context().close();
}

test('the big numbers are those of the API, with the direction as a word', async () => {
  const page = await open(browser, FAIR_URL);
  const live = await (await fetch(`${FAIR_URL}/api/v1/live`)).json();
  const { generation, load, import: into, export: out } = live.electricity;
  for (const [card, watts] of [['net', Math.abs(into.w - out.w)], ['generation', generation.w], ['load', load.w], ['supplied', live.heat.supplied.w]]) {
    const shown = read(await textOf(page, `#card-${card} [data-part=number]`));
    assert.ok(Math.abs(shown - watts / 1000) <= 0.5, `${card}: ${shown} kW for ${watts} W`);
    assert.equal(await textOf(page, `#card-${card} [data-part=unit]`), 'kW');
  }
  assert.equal(await textOf(page, '#card-net [data-part=word]'), 'Export');
  assert.equal(await textOf(page, '#card-net [data-part=arrow]'), '↑');
  assert.equal(await textOf(page, '#park'), live.name);
  assert.match(await textOf(page, '#state'), /^Live \d/);
  assert.equal(await textOf(page, '#warnings'), '');
  assert.ok(await page.isHidden('#bar'));
  await done(page);
});

test('both sides of the diagram add up to what passes through the bus', async () => {
  const page = await open(browser, FAIR_URL);
  for (const carrier of ['electricity', 'heat']) {
    // In one look: the drawing is another one each second.
    const [values, middle] = await page.$eval(`#${carrier}-flow`, (box) => {
      const all = [...box.querySelectorAll('.value')];
      const drawn = all.map((node) => [node.getAttribute('data-key'), node.textContent, Number(node.getAttribute('x'))]);
      return [drawn, box.querySelector('svg').viewBox.baseVal.width / 2];
    });
    const sum = (isLeft) => values.filter(([, , x]) => (x < middle) === isLeft).reduce((all, [, text]) => all + read(text), 0);
    assert.ok(Math.abs(sum(true) - sum(false)) < 6, `${carrier}: ${sum(true)} in, ${sum(false)} out`);
    assert.ok(values.some(([key]) => key === 'residual'), `${carrier} shows its residual`);
  }
  assert.equal(await page.$('[data-key=boilers]'), null, 'a park without boilers has no row for them');
  await done(page);
});

test('a silent meter leaves dashes that name it, and no total without it', async () => {
  const page = await open(browser, GAPS_URL);
  for (const card of ['generation', 'load']) {
    assert.equal(await textOf(page, `#card-${card} [data-part=number]`), '--');
    assert.equal(await textOf(page, `#card-${card} [data-part=unit]`), '');
    assert.equal(await textOf(page, `#card-${card} [data-part=needs]`), 'needs pv-south: timeout');
    assert.match(await textOf(page, `#card-${card} dl`), /partial/);
  }
  assert.equal(await textOf(page, '[data-key="meter pv-south"]'), '--');
  assert.ok(read(await textOf(page, '[data-key="meter pv-north"]')) > 0);
  assert.match(await textOf(page, '#electricity-needs'), /Generation.*needs pv-south: timeout/);
  assert.match(await textOf(page, '#meters-count'), /^19 of 20/);
  const row = page.locator('#meters tr', { hasText: 'pv-south' });
  assert.match(await row.first().textContent(), /--.*Stale.*3.min/);
  assert.match(await textOf(page, '#meters'), /no answer within 1 s/);
  assert.equal(await page.locator('#electricity-chart .gap').count(), 4);
  assert.equal(await page.locator('#heat-chart .gap').count(), 0);
  assert.match(await textOf(page, '#electricity-legend'), /incomplete$/);
  await done(page);
});

test('what cannot be true and what does not close is said, with what to do', async () => {
  const page = await open(browser, GAPS_URL);
  assert.equal(await textOf(page, '#warnings'), 'Findings: 1 · Not closing: 1');
  const found = await textOf(page, '#findings');
  assert.match(found, /Value stands still.*workshops.*14:0\d/);
  assert.match(found, /equal samples in a row 310 \(limit 12\): the gateway repeats itself\. To do: restart/);
  const rows = await page.$$eval('#closure tr', (nodes) => nodes.map((node) => node.textContent));
  assert.match(rows[0], /^Electricitydoes not close\u22128\.40\u00a0kWh ± 2\.00\u00a0kWh$/);
  assert.match(rows[1], /^Heatcloses0\.31/);
  assert.match(rows[2], /^Heat networkcannot be judged--$/);
  assert.equal(rows[3], 'what is lost on the way has no meter');
  assert.match(rows[4], /^behind workshopsdoubtful7\.10/);
  assert.equal(await textOf(page, '#closure-count'), '1 of 3 close');
  assert.equal(await textOf(page, '#suspects'), 'fits least: workshops');
  await page.click('#lang');
  assert.match(await textOf(page, '#findings'), /数值停滞/);
  assert.equal(await textOf(page, '#card-load [data-part=mark]'), '缺失');
  assert.match(await textOf(page, '#closure'), /不闭合.*闭合.*无法判断/);
  assert.equal(await textOf(page, '#warnings'), '异常 1 项 · 不闭合 1 项');
  await shot(page, 'books-zh-1280', true);
  await done(page);
  const fair = await open(browser, FAIR_URL);
  assert.equal(await textOf(fair, '#findings'), 'Nothing that cannot be true.');
  await done(fair);
});

test('the name of a meter is text, whatever it says', async () => {
  const page = await open(browser, GAPS_URL);
  assert.match(await textOf(page, '#meters'), /<img src=x onerror=alert\(1\)>/);
  assert.equal(await page.locator('img').count(), 1);
  await done(page);
});

test('nothing is clamped: a field that cools at night is negative', async () => {
  const page = await open(browser, NIGHT_URL, { dark: true });
  assert.match(await textOf(page, '[data-key=solar_field]'), /^\u2212\d/);
  assert.equal(await page.locator('#heat-flow .negative').count(), 1);
  assert.equal(await textOf(page, '#card-net [data-part=word]'), 'Import');
  assert.equal(await textOf(page, '#card-net [data-part=arrow]'), '↓');
  await shot(page, 'night-dark-1280');
  await done(page);
});

test('the words are Chinese where that is asked for, and stay so', async () => {
  const page = await open(browser, FAIR_URL, { path: '/?lang=zh-CN', width: 1920, height: 1080 });
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
  assert.equal(await textOf(page, '#card-net [data-part=word]'), '上网');
  for (const word of ['发电功率', '用电负荷', '供热功率', '自发自用率', '今日上网']) {
    assert.match(await textOf(page, '#cards'), new RegExp(word));
  }
  assert.match(await textOf(page, '#state'), /^实时/);
  assert.match(await textOf(page, '#electricity-flow'), /不平衡量/);
  assert.match(await textOf(page, '#meters'), /关口表.*有效/);
  await shot(page, 'fair-zh-1920');
  await page.goto(FAIR_URL);
  await page.waitForSelector('#heat-chart svg');
  assert.equal(await textOf(page, '#card-net [data-part=word]'), '上网', 'remembered');
  await page.click('#lang');
  assert.equal(await textOf(page, '#card-net [data-part=word]'), 'Export');
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  await done(page);
});

test('no English word is left on the Chinese page', async () => {
  const page = await open(browser, GAPS_URL, { path: '/?lang=zh-CN' });
  const text = (await page.innerText('main')).replaceAll(/<img.*?>/g, '');
  for (const word of ['Generation', 'needs', 'timeout', 'partial', 'Good', 'Stale', 'Missing', 'today', 'Meter', 'points']) {
    assert.ok(!text.includes(word), word);
  }
  await done(page);
});

test('when the stream dies the page says since when, and comes back by itself', async () => {
  const line = await relay(FAIR_URL);
  const page = await open(browser, line.url);
  const shown = await textOf(page, '#card-generation [data-part=number]');
  line.cut();
  await page.waitForSelector('body.stale');
  assert.match(await textOf(page, '#bar'), /^Data interrupted since 14:3\d:\d\d/);
  assert.match(await textOf(page, '#state'), /^No link \d/);
  assert.equal(await textOf(page, '#card-generation [data-part=number]'), shown, 'the last number stays');
  await shot(page, 'stale-1280');
  page.trouble = page.trouble.filter((text) => !/ERR_/.test(text));
  await done(page);
});

test('the theme can be chosen and is kept', async () => {
  const page = await open(browser, FAIR_URL);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click('#theme');
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await page.waitForSelector('#heat-chart svg');
  assert.equal(await ground(), dark);
  await done(page);
});

test('the day can be read interval by interval with the keyboard', async () => {
  const page = await open(browser, FAIR_URL);
  await page.focus('#electricity-chart');
  for (const _ of [1, 2]) await page.keyboard.press('ArrowLeft');
  assert.equal(await textOf(page, '#electricity-when'), '14:15–14:30');
  assert.match(await textOf(page, '#electricity-legend'), /Generation4\u202f\d\d\d\u00a0kW/);
  await done(page);
});

for (const [width, height] of [[1920, 1080], [1280, 800], [390, 844], [360, 740]]) {
  for (const dark of [false, true]) {
    const name = `fair-${dark ? 'dark' : 'light'}-${width}`;
    test(`the page fits ${width} px, ${dark ? 'dark' : 'light'}`, async () => {
      const page = await open(browser, FAIR_URL, { width, height, dark });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${wide} px wide`);
      const outside = await page.$$eval('svg text', (nodes) => nodes.filter((node) => {
        const [box, frame] = [node.getBoundingClientRect(), node.ownerSVGElement.getBoundingClientRect()];
        return box.left < frame.left - 1 || box.right > frame.right + 1;
      }).map((node) => node.textContent));
      assert.deepEqual(outside, [], 'no label is cut off');
      await shot(page, name, width < 500);
      await done(page);
    });
  }
}

test('the page with a gap, for people to look at', async () => {
  const page = await open(browser, GAPS_URL, { width: 1280, height: 800 });
  await shot(page, 'gaps-light-1280', true);
  await done(page);
});

test('it works at once', { timeout: PATIENCE }, async () => {
  const page = await open(browser, FAIR_URL);
  const requests = await page.evaluate(() => performance.getEntriesByType('resource').map((entry) => new URL(entry.name)));
  assert.ok(requests.every((url) => String(url).startsWith(FAIR_URL)), 'nothing comes from elsewhere');
  await done(page);
});
