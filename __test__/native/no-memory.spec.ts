import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

/** Runs a program in a separate process with too little address space for its requests. */
const PROGRAM = `
import { SlotPool, SystemMemoryBuffer } from 'framepool'

function codeOf(call) {
  try {
    call()
  } catch (error) {
    return error.code
  }
}

const results = [codeOf(() => new SlotPool(2 ** 32 - 1))]
for (const buffer of [new SlotPool(64), new SystemMemoryBuffer()]) {
  buffer.write(Uint8Array.of(1))
  const first = buffer.getDataOwned()
  buffer.write(Uint8Array.of(2, 3))
  first.release()
  results.push(codeOf(() => buffer.getWritable(2 ** 32 - 10)))
  results.push([...buffer.bytes])
  buffer.write(Uint8Array.of(4))
  const second = buffer.getDataOwned()
  results.push([...second.bytes], second.slot)
}
console.log(JSON.stringify(results))
`

it.runIf(process.platform === 'linux')('memory that the system refuses is ERR_NO_MEMORY, and loses nothing', () => {
  const command = `ulimit -v 3000000; exec "$0" --input-type=module -e "$1"`
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const printed = execFileSync('sh', ['-c', command, process.execPath, PROGRAM], { cwd: root, encoding: 'utf8' })
  expect(JSON.parse(printed)).toEqual([
    'ERR_NO_MEMORY',
    ...['ERR_NO_MEMORY', [2, 3], [2, 3, 4], 1],
    ...['ERR_NO_MEMORY', [2, 3], [2, 3, 4], null],
  ])
})
