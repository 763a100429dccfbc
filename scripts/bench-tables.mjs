// `npm run bench:tables`: writes the tables of the documentation anew from benchmark/report.json.
import { readFileSync, writeFileSync } from 'node:fs'
import { buildFacade, root } from './setup.mjs'

const PAGES = ['README.md', 'benchmark/README.md', 'docs/performance.md', 'docs/framing.md']

buildFacade()
const { withTables } = await import(`${root}dist/benchmark/report/tables.js`)
const report = JSON.parse(readFileSync(`${root}benchmark/report.json`, 'utf8'))
for (const page of PAGES) {
  const before = readFileSync(root + page, 'utf8')
  const after = withTables(before, report)
  if (after === before) continue
  writeFileSync(root + page, after)
  console.log(`wrote ${page}`)
}
