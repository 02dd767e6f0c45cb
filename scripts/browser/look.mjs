// node look.mjs SITE [FOLDER]: reads pages of five types in headless Chromium, from the disk, at two widths,
// light and dark. Fails if a page scrolls sideways, asks for anything beyond the disk, has a broken picture,
// complains in the console, or breaks a rule of axe. With FOLDER it leaves pictures of what it saw there.
import fs from "node:fs";
import path from "node:path";
import puppeteer from "puppeteer-core";

const [site, folder] = process.argv.slice(2).map(name => path.resolve(name));
const PAGES = [
  "index", "lessons/index", "lessons/04_one_stage", "import/api/cvcourse.losses.sigmoid_focal_loss",
  "import/elsewhere", "teach/index",
];
const axe = fs.readFileSync(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--allow-file-access-from-files"],
});
let failed = 0;
for (const page of PAGES)
  for (const width of [1400, 400])
    for (const mode of ["light", "dark"]) {
      const tab = await browser.newPage();
      const wrong = [];
      tab.on("request", r => /^(file|data|blob):/.test(r.url()) || wrong.push(`asks for ${r.url()}`));
      tab.on("pageerror", error => wrong.push(`script: ${error.message}`));
      tab.on("requestfailed", r => wrong.push(`not there: ${r.url()}`));
      await tab.setViewport({ width, height: 900 });
      await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: mode }]);
      await tab.goto(`file://${site}/${page}.html`, { waitUntil: "load" });
      await tab.evaluate(async () => {
        for (const picture of document.images) picture.loading = "eager";
        await window.MathJax?.startup?.promise;
        await new Promise(done => setTimeout(done, 500));
      });
      if (folder) {
        fs.mkdirSync(folder, { recursive: true });
        const name = `${page.replaceAll("/", "_")}-${width}-${mode}.png`;
        await tab.screenshot({ path: path.join(folder, name), fullPage: process.env.WHOLE === "1" });
      }
      const found = await tab.evaluate(() => ({
        over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
        formulas: document.querySelectorAll("mjx-merror, merror").length,
      }));
      if (found.over > 0) wrong.push(`scrolls sideways by ${found.over} pixels`);
      if (found.formulas) wrong.push(`${found.formulas} formulas that MathJax cannot read`);
      wrong.push(...found.broken.map(source => `broken picture ${source.slice(0, 200)}`));
      await tab.evaluate(axe);
      const { violations } = await tab.evaluate(() => axe.run());
      for (const v of violations)
        wrong.push(`${v.impact} ${v.id}, ${v.nodes.length} times: ${v.nodes[0].html.slice(0, 160)}`);
      console.log(`${page}, ${width}, ${mode}: ${wrong.length ? "" : "in order"}`);
      for (const what of wrong) console.log(`    ${what}`);
      failed += wrong.length;
      await tab.close();
    }
const tab = await browser.newPage();
await tab.goto(`file://${site}/search.html?q=focal`, { waitUntil: "load" });
const hits = await tab
  .waitForFunction(() => document.querySelectorAll("#search-results li a").length, { timeout: 20000 })
  .then(found => found.jsonValue(), () => 0);
console.log(`search for "focal", from the disk: ${hits} pages`);
failed += !hits;
await browser.close();
process.exit(failed ? 1 : 0);
