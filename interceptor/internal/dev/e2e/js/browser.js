// Opens the page in Chromium: reads {chromium, page, url, protocol, calls} from standard input and
// prints the answers that the page got, and the preflights that the browser sent for it.
import { readFileSync, writeFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { patience } from "./patience.js";

const { chromium: executablePath, page: address, url, protocol, calls } = JSON.parse(readFileSync(0, "utf8"));

const browser = await chromium.launch({ executablePath, timeout: patience });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(patience);
  page.on("pageerror", (error) => console.error(error));
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  let get = false;
  const preflights = [];
  network.on("Network.requestWillBeSent", ({ request }) => {
    if (request.method === "OPTIONS") {
      preflights.push({ url: request.url, headers: request.headers });
    } else if (request.url.startsWith(url)) { // the browser may ask the page's own server for an icon at any time
      get = request.method === "GET";
    }
  });
  await page.goto(address);

  const answers = [];
  for (const one of calls) {
    const answer = await page.evaluate((input) => window.callSample(input), { url, protocol, one });
    answers.push({ ...answer, get });
  }
  writeFileSync(1, JSON.stringify({ answers, preflights }));
} finally {
  await browser.close();
}
