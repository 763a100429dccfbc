import { runProgram } from './program.js'

/**
 * Runs a program in a separate process that survives uncaught exceptions, and returns the JSON that it prints. The messages of the
 * exceptions are in `uncaught`. The program may throw each value of `THROWN`; `EXPECTED` is the JSON of their messages.
 */
export function runSurviving(program: string): unknown {
  const output = runProgram(`
    import { once } from 'node:events'
    import net from 'node:net'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { BuddyPool, ByteRing, relaySockets } from './dist/index.js'
    const uncaught = []
    process.on('uncaughtException', (error) => uncaught.push(error instanceof Error ? error.message : String(error)))
    const THROWN = [new Error('mine'), null, undefined, 'mine', 0]
    const EXPECTED = JSON.stringify(['mine', 'null', 'undefined', 'mine', '0'])
    const connected = async () => {
      const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const dialled = net.connect({ port: server.address().port, host: '127.0.0.1', allowHalfOpen: true })
      const [accepted] = await once(server, 'connection')
      // Before the connection is made, an exception of a listener would stop Node itself.
      if (dialled.connecting) await once(dialled, 'connect')
      server.close()
      for (const socket of [dialled, accepted]) socket.on('error', () => {})
      return { dialled, accepted }
    }
    const read = async (stream) => { const all = []; for await (const chunk of stream) all.push(chunk); return Buffer.concat(all) }
    ${program}`)
  return JSON.parse(output) as unknown
}
