// `npm run test:memory -- [names]`: runs the tests in which freed memory is inaccessible, on every supported Node or on
// the named ones, for example `node-24`. FRAMEPOOL_MODEL_SECONDS sets how long the model runs in each mode, by default
// a minute. FRAMEPOOL_SEED repeats a run.

import { choose } from './choose.mjs'
import { fetch, nodes } from './runtimes.mjs'
import { build, install } from './setup.mjs'
import { run, vitest } from './stages.mjs'

process.env.FRAMEPOOL_MODEL_SECONDS ??= '60'
const chosen = choose('runtime', nodes, process.argv.slice(2))
install()
build()
fetch(chosen)
let allFailed = 0
for (const { name, program } of chosen) {
  const { failed } = await run(vitest(name, program, ['memory-model', 'shown-memory']))
  allFailed += failed
}
process.exit(allFailed === 0 ? 0 : 1)
