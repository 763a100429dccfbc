import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const examples = fileURLToPath(new URL('../examples/', import.meta.url))

const FILLING = `--------  BACK MODE
1-------  BACK MODE
12------  BACK MODE
123-----  BACK MODE
1234----  BACK MODE
12345---  BACK MODE
123456--  BACK MODE
1234567-  BACK MODE
12345678  BACK MODE (buffer is now full)`

const printed: Record<string, string> = {
  'basic.js': `
--------  BACK MODE  12 bytes written
by reference: Ciao…, still 12 bytes
1-------  BACK MODE  slot 1 holds "Ciao, mundo!", 0 bytes written
--------  BACK MODE  released
`,
  'cases.js': `
Case 1: buffer pool exhaustion
${FILLING}
12345678  ALLOC MODE (new bytes being allocated in a new space in the heap)
12345678  ALLOC MODE (new bytes being allocated in a new space in the heap)

Case 2: buffer pool reset to remain in back mode
${FILLING}
--------  RESET
9-------  BACK MODE
9a------  BACK MODE

Case 3: buffer pool switches from back to front to back modes
${FILLING}
--345678  Consume first two data bytes from the buffer
9-345678  SWITCH TO FRONT MODE
9a345678  FRONT MODE (buffer is now full)
9a3456--  Consume last two data bytes from the buffer
9a3456b-  SWITCH TO BACK MODE
9a3456bc  BACK MODE (buffer is now full)
`,
  'copy.js': `
67108864 bytes copied
`,
  'exhaustion.js': `
--------  BACK MODE
1-------  BACK MODE  add "a"
12------  BACK MODE  add "a"
123-----  BACK MODE  add "a"
1234----  BACK MODE  add "a"
-234----  BACK MODE  release the first
-2345---  BACK MODE  add "b"
-23456--  BACK MODE  add "c"
-234567-  BACK MODE  add "c"
-2345678  BACK MODE  add "c"
92345678  FRONT MODE  add "c"
92345678  ALLOC MODE  add "d"
the last one is on the heap
`,
  'framed-echo.js': `
Ciao, mundo!
`,
  'framed-proxy.js': `
one
three
`,
  'framed-server.js': `
Ciao, mundo!
0 bytes are held
`,
  'line-server.js': `
{"id":1,"result":[[["mining.notify","1"]],"abcd",4],"error":null}
{"id":2,"result":true,"error":null}
{"id":3,"result":null,"error":[20,"no method mining.dance",null]}
`,
  'sv2-filter-proxy.js': `
alice: 3 accepted, 0 refused
mallory: 0 accepted, 3 refused
bob: 3 accepted, 0 refused
the mining pool knows farm.alice, farm.mallory, farm.bob
the proxy counted alice 3, bob 3
`,
  'sv2-pool.js': `
accepted
accepted
difficulty-too-low
duplicate-share
`,
  'sv2-probe.js': `
the handshake is done: the server has the key
SetupConnectionSuccess usedVersion=2 flags=0
`,
  'tcp-relay.js': `
the echo: Ciao, mundo!
12 bytes there, 12 bytes back
`,
  'threads.js': `
1-------  BACK MODE  the slice is under way
--------  BACK MODE  the worker has read "Ciao, mundo!" and released it
1 waits for the budget
the worker got 2048 bytes of it
920 bytes came through a ring of 64
`,
  'variable-sized-messages.js': `
1-------  BACK MODE   5 bytes in slot 1: Hello
12------  BACK MODE  16 bytes in slot 2: JavaScript, Rust
12------  ALLOC MODE  21 bytes on the heap: one more than is left
123-----  BACK MODE   9 bytes in slot 3: this fits
123-----  BACK MODE  44 bytes on the heap: longer than the pool, whatever is free in it
--------  BACK MODE  all released
4-------  BACK MODE   2 bytes in slot 1: Hi
2 messages came from the heap, 1 reset
`,
}

async function run(...command: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, command)
  expect(stderr).toBe('')
  return stdout
}

// The examples import the built package as users do, so `npm run build:ts` must run first.
describe('examples', { timeout: 60_000 }, () => {
  it('are all listed here', () => {
    expect(readdirSync(examples).sort()).toEqual(Object.keys(printed))
  })

  it.each(Object.entries(printed))('%s', async (name, expected) => {
    expect(await run(examples + name)).toBe(expected.trimStart())
  })

  it('run in turn', async () => {
    const script = fileURLToPath(new URL('../scripts/examples.mjs', import.meta.url))
    const all = Object.entries(printed).map(([name, expected]) => `── examples/${name}${expected}\n`)
    expect(await run(script)).toBe(all.join(''))
  })
})
