// Looks at a document on screen and on paper in Chromium: node document.mjs FILE NAME DIRECTORY
//
// In light, dark and at phone width: no console message, no request but for the file itself, nothing wider than the
// window, no violation that axe finds. On A4: nothing wider than the paper, and more than one page. Pictures and the
// PDF go to DIRECTORY.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, name, directory] = process.argv.slice(2);
const url = pathToFileURL(file).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const views = [
  { view: "light", colorScheme: "light", width: 1280, height: 900 },
  { view: "dark", colorScheme: "dark", width: 1280, height: 900 },
  { view: "phone", colorScheme: "light", width: 390, height: 844 },
  // A4 without its margins, at 96 pixels an inch.
  { view: "paper", colorScheme: "dark", width: 688, height: 990, media: "print" },
];
const wrong = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
for (const { view, colorScheme, width, height, media } of views) {
  // The page's own policy stands in its head; axe is let past it, and nothing else.
  const context = await browser.newContext({ colorScheme, viewport: { width, height }, bypassCSP: false });
  const page = await context.newPage();
  const asked = [];
  page.on("console", (message) => wrong.push(`${view}: console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`${view}: error: ${error}`));
  page.on("request", (request) => asked.push(request.url()));
  if (media) await page.emulateMedia({ media, colorScheme });
  await page.goto(url);
  await page.screenshot({ path: join(directory, `${name}-${view}.png`), fullPage: true });
  const others = asked.filter((one) => one !== url && !one.startsWith("data:"));
  if (others.length > 0) wrong.push(`${view}: also asked for ${others}`);
  const room = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  if (room[0] > room[1]) wrong.push(`${view}: ${room[0]} pixels wide in a window of ${room[1]}`);
  if (media) {
    const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    if (colour !== "rgb(255, 255, 255)") wrong.push(`${view}: the paper is ${colour}`);
    const pdf = await page.pdf({ path: join(directory, `${name}.pdf`), preferCSSPageSize: true });
    const sheets = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
    if (sheets < 2) wrong.push(`${view}: ${sheets} pages`);
  } else {
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => window.axe.run());
    if (passes.length < 10) wrong.push(`${view}: axe looked at next to nothing`);
    for (const { id, nodes } of violations) {
      wrong.push(`${view}: axe: ${id}: ${nodes.map((node) => node.html).join(" ")}`);
    }
  }
  await context.close();
}
await browser.close();
for (const line of wrong) console.error(line);
console.log(`${views.length} views, ${wrong.length} faults`);
process.exitCode = wrong.length === 0 ? 0 : 1;
