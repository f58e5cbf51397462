// Opens a page of `protoauthz matrix` in Chromium: reads {chromium, page, steps} from standard input
// and prints what is seen after each step, which fills in fields of the form.
import { readFileSync, writeFileSync } from "node:fs";
import { chromium, devices } from "playwright-core";
import { patience } from "./patience.js";

const { chromium: executablePath, page: address, steps } = JSON.parse(readFileSync(0, "utf8"));

const browser = await chromium.launch({ executablePath, timeout: patience });
const complaints = [];
const requests = [];

// open opens the page anew, in a browser of its own.
async function open(options, path = "") {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(address + path);
  return page;
}

// look returns what a reader sees.
function look(page) {
  return page.evaluate(() => ({
    count: document.querySelector("output").textContent,
    methods: [...document.querySelectorAll(".rule:not(.further) th")].filter((cell) => cell.checkVisibility()).map((cell) => cell.textContent),
    services: [...document.querySelectorAll(".service th")].filter((cell) => cell.checkVisibility()).map((cell) => cell.textContent),
    none: document.querySelector(".none").checkVisibility(),
    overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    background: getComputedStyle(document.body).backgroundColor,
    hash: location.hash,
  }));
}

try {
  const seen = [];
  let page = await open({});
  for (const fields of steps) {
    for (const [name, value] of Object.entries(fields)) {
      const field = page.locator(`[name=${name}]`);
      if (name === "q") {
        await field.fill("");
        await field.pressSequentially(value);
      } else {
        await field.selectOption(value);
      }
    }
    // The page works in the next frame.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    seen.push(await look(page));
  }
  await page.getByRole("button", { name: "Clear" }).click();
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const cleared = await look(page);
  const linked = await look(await open({}, "#q=inviteMEMBER&model=organization&access=nonsense"));
  const light = await look(await open({ colorScheme: "light" }));
  const dark = await look(await open({ colorScheme: "dark" }));
  const { defaultBrowserType, ...phone } = devices["iPhone SE"];
  const phoned = await look(await open(phone));
  const narrow = await look(await open({ viewport: { width: 700, height: 500 } }));
  // What a screen reader is told of the form.
  page = await open({});
  const labels = [];
  for (const name of ["Search", "Needs", "Model", "Caller"]) {
    labels.push(await page.getByLabel(name, { exact: false }).count());
  }
  writeFileSync(1, JSON.stringify({ seen, cleared, linked, light, dark, phone: phoned, narrow, labels, complaints, requests }));
} finally {
  await browser.close();
}
