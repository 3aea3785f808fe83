// A headless Chromium of this machine and one page in it, told what to do by lines of JSON: {"do": NAME, ...}; each is answered by a line {"ok": VALUE} or {"failed": TEXT}.
// usage: node page_driver.mjs PLAYWRIGHT_DIRECTORY CHROMIUM SCREENSHOT_DIRECTORY
import readline from 'node:readline';
import {pathToFileURL} from 'node:url';

const [playwright, program, shots] = process.argv.slice(2);
const {chromium} = await import(pathToFileURL(`${playwright}/index.mjs`));
// As root Chromium has no sandbox; names of *.localhost are this machine's, whatever proxy the environment names.
const browser = await chromium.launch({executablePath: program, args: ['--no-sandbox', '--no-proxy-server']});
const context = await browser.newContext({viewport: {width: 1280, height: 900}});
const page = await context.newPage();
const timeout = (order) => ({timeout: (order.within_s ?? 60) * 1000});

/// Where on the page a point of the VM's screen is drawn.
async function on_page({x, y}) {
  const canvas = page.locator('#screen canvas');
  const box = await canvas.boundingBox();
  const size = await canvas.evaluate((each) => [each.width, each.height]);
  return [box.x + (x * box.width) / size[0], box.y + (y * box.height) / size[1]];
}

const deeds = {
  open: ({url}) => page.goto(url).then(() => page.url()),
  reload: () => page.reload().then(() => null),
  visible: (order) => page.locator(order.what).waitFor({state: 'visible', ...timeout(order)}),
  hidden: (order) => page.locator(order.what).waitFor({state: 'hidden', ...timeout(order)}),
  text: ({what}) => page.locator(what).innerText(),
  value: ({what}) => page.locator(what).inputValue(),
  says: (order) => page.locator(order.what).filter({hasText: new RegExp(order.pattern)}).waitFor(timeout(order)),
  holds: (order) => page.waitForFunction(([what, value]) => document.querySelector(what).value === value, [order.what, order.value], timeout(order)).then(() => null),
  click: ({what}) => page.locator(what).click(),
  check: ({what}) => page.locator(what).check(),
  fill: ({what, text}) => page.locator(what).fill(text),
  type: ({text}) => page.keyboard.type(text, {delay: 40}),
  press: ({key, delay}) => page.keyboard.press(key, {delay: delay ?? 0}),
  point: async (order) => page.mouse.click(...(await on_page(order)), {clickCount: order.times ?? 1, button: order.button ?? 'left', delay: 60}),
  window: ({width, height}) => page.setViewportSize({width, height}),
  screen: () => page.locator('#screen canvas').evaluate((canvas) => [canvas.width, canvas.height]),
  tries: async (order) => {
    for (let i = 0; i < order.times; i++) await page.waitForEvent('websocket', timeout(order));
  },
  is_wide: (order) => page.waitForFunction((pixels) => document.querySelector('#screen canvas').width === pixels, order.pixels, timeout(order)).then(() => null),
  colours: () => page.locator('#screen canvas').evaluate((canvas) => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length && seen.size < 1000; i += 4) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
  }),
  shot: ({name}) => page.screenshot({path: `${shots}/${name}.png`}).then(() => null),
};

for await (const line of readline.createInterface({input: process.stdin})) {
  const order = JSON.parse(line);
  try {
    const value = await deeds[order.do](order);
    console.log(JSON.stringify({ok: value ?? null}));
  } catch (failed) {
    console.log(JSON.stringify({failed: String(failed)}));
  }
}
await browser.close();
