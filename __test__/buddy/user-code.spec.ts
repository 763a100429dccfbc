import { describe, expect, it } from 'vitest'
import { PATIENCE_MS } from '../support/network.js'
import { runSurviving } from '../support/surviving-program.js'

const MIB = 2 ** 20

describe('an error that nobody can catch', { timeout: PATIENCE_MS }, () => {
  it('keeps no block from being told, and no buffer back, when onBlock throws it', () => {
    const told = runSurviving(`
      const thrown = [...THROWN]
      const blocks = []
      const pool = new BuddyPool({ maxMemory: 5 * 64 * ${MIB}, block: { onBlock: ({ index }) => { blocks.push(index); throw thrown[index] } } })
      const buffers = THROWN.map(() => pool.allocateSync(64 * ${MIB}))
      await sleep(10)
      for (const buffer of buffers) buffer.release()
      await pool.close()
      console.log(JSON.stringify([blocks, JSON.stringify(uncaught) === EXPECTED]))`)
    expect(told).toEqual([[0, 1, 2, 3, 4], true])
  })
})
