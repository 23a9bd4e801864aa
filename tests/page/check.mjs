// Looks at the page in Chromium: node check.mjs URL EXPECTED DIRECTORY
//
// EXPECTED is JSON: what stands where, by CSS selector (white space counts once). In light, dark and at phone
// width: no console message, no request but for the page itself, nothing wider than the window, no violation that axe
// finds. Screenshots go to DIRECTORY.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, expected, directory] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const views = [
  { name: "light", colorScheme: "light", width: 1280, height: 900 },
  { name: "dark", colorScheme: "dark", width: 1280, height: 900 },
  { name: "phone", colorScheme: "light", width: 390, height: 844 },
  { name: "phone-dark", colorScheme: "dark", width: 390, height: 844 },
];
const wrong = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
for (const { name, colorScheme, width, height } of views) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height } });
  const page = await context.newPage();
  const asked = [];
  page.on("console", (message) => wrong.push(`${name}: console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`${name}: error: ${error}`));
  page.on("request", (request) => asked.push(request.url()));
  const answer = await page.goto(url);
  if (answer.status() !== 200) wrong.push(`${name}: HTTP ${answer.status()}`);
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true });
  const others = asked.filter((one) => one !== url && !one.startsWith("data:"));
  if (others.length > 0) wrong.push(`${name}: also asked for ${others}`);
  for (const [selector, text] of Object.entries(JSON.parse(expected))) {
    const found = await page.locator(selector).allTextContents();
    const said = found.map((one) => one.replace(/\s+/g, " ").trim()).join(" | ");
    if (said !== text) wrong.push(`${name}: ${selector}: "${said}" instead of "${text}"`);
  }
  const room = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  if (room[0] > room[1]) wrong.push(`${name}: ${room[0]} pixels wide in a window of ${room[1]}`);
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  if (passes.length < 10) wrong.push(`${name}: axe looked at next to nothing`);
  for (const { id, nodes } of violations) {
    wrong.push(`${name}: axe: ${id}: ${nodes.map((node) => node.html).join(" ")}`);
  }
  await context.close();
}
await browser.close();
for (const line of wrong) console.error(line);
console.log(`${views.length} views, ${wrong.length} faults`);
process.exitCode = wrong.length === 0 ? 0 : 1;
