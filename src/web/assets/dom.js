// @ts-check
// Elements without markup: names of meters are strangers' text, so everything
// goes in as text and nothing is ever parsed.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {Element} node
 * @param {Record<string, string | number | undefined | null>} attributes
 * @param {(Node | string)[]} children
 */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== '') node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/** An HTML element. @returns {HTMLElement} */
export function el(tag, attributes = {}, ...children) {
  return /** @type {HTMLElement} */ (fill(document.createElement(tag), attributes, children));
}

/** An SVG element. @returns {SVGElement} */
export function svg(tag, attributes = {}, ...children) {
  return /** @type {SVGElement} */ (fill(document.createElementNS(SVG, tag), attributes, children));
}

/** The element with an id that the page has. @returns {HTMLElement} */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** Sets a text where it differs, so that a selection of it survives. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets a class list where it differs. */
export function dress(node, classes) {
  if (node.getAttribute('class') !== classes) node.setAttribute('class', classes);
}

const SHAPES = {
  good: [['circle', { cx: 6, cy: 6, r: 3.5, class: 'solid' }]],
  interpolated: [['path', { d: 'M1 8 4 4 8 8 11 4' }]],
  estimated: [['path', { d: 'M1 4.5q2.5-2.5 5 0t5 0M1 8.5q2.5-2.5 5 0t5 0' }]],
  derived: [['path', { d: 'M2 9.5 6 2l4 7.5z' }]],
  manual: [['path', { d: 'M2 10l.8-2.8L8.5 1.500l2 2L4.8 9.200z' }]],
  stale: [['circle', { cx: 6, cy: 6, r: 4.5 }], ['path', { d: 'M6 3.200V6l2 1.3' }]],
  suspect: [['path', { d: 'M4 4.200a2 2 0 1 1 3 1.700q-1 .6-1 1.600M6 9.600v.4' }]],
  missing: [['path', { d: 'M1.5 6h3.500M7 6h3.5' }]],
};

/** The shape of a quality; never colour alone. */
export function glyph(quality) {
  const shapes = SHAPES[quality] ?? SHAPES.missing;
  const parts = shapes.map(([tag, attributes]) => svg(String(tag), attributes));
  return svg('svg', { viewBox: '0 0 12 12', class: `glyph q-${quality}`, 'aria-hidden': 'true' }, ...parts);
}
