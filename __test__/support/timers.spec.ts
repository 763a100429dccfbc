import { describe, expect, it } from 'vitest'
import { PATIENCE_MS } from './network.js'
import { runProgram } from './program.js'

describe('timers', { timeout: PATIENCE_MS }, () => {
  const replaced = {
    'are numbers': `
      for (const name of ['setTimeout', 'setInterval', 'setImmediate']) {
        const own = globalThis[name]
        globalThis[name] = (...given) => Number(own(...given)[Symbol.toPrimitive]?.() ?? 1)
      }`,
    'never fire': `
      for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask']) globalThis[name] = () => ({})
      performance.now = () => 0`,
    'are not there': `
      for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask']) delete globalThis[name]`,
  }
  it.each(
    Object.entries(replaced).flatMap(([name, code]) => [
      [name, 'before', code, ''],
      [name, 'after', '', code],
    ]),
  )('that %s, replaced %s framepool is loaded', (_, __, before, after) => {
    const program = `
      import { once } from 'node:events'
      import { openSync } from 'node:fs'
      import net from 'node:net'
      import { setTimeout as sleep } from 'node:timers/promises'
      ${before}
      const { BuddyPool, BudgetPool, ByteRing, pump, relaySockets, SliceChannel } = await import('./dist/index.js')
      const { Sv2Session, generateAuthorityKeypair } = await import('./dist/src/sv2/index.js')
      ${after}
      const { publicKey, secretKey } = generateAuthorityKeypair()
      const results = []
      const code = (promise) => promise.then(() => 'resolved', ({ code }) => code)
      const options = { timeoutMs: 20 }
      const budget = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
      budget.tryAllocate(2)
      results.push(await code(budget.allocate(1, options)))
      results.push(await code(new ByteRing(64).intoParts().consumer.readable(1, options)))
      results.push(await code(SliceChannel.create(1).receiver.receive(options)))
      let blocks = 0
      const buddy = new BuddyPool({ block: { onBlock: () => blocks++ } })
      buddy.allocateSync(1)
      let told = 0
      const abort = new AbortController()
      const pumping = code(pump(openSync('/dev/zero', 'r'), openSync('/dev/null', 'w'), { signal: abort.signal, onProgress: () => { if (++told === 2) abort.abort() } }))
      results.push(await pumping, blocks)
      const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
      await once(echo, 'listening')
      const relay = net.createServer({ allowHalfOpen: true }, async (socket) => {
        results.push(await code(relaySockets(socket, net.connect(echo.address().port, '127.0.0.1'), { idleTimeoutMs: 200 })))
        server.close(); echo.close(); relay.close()
      }).listen(0, '127.0.0.1')
      const server = net.createServer((socket) => {
        const session = Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey })
        session.attach(socket, (batch) => session.forward(batch, session))
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const session = Sv2Session.initiator()
      let bytes = 0
      session.attach(net.connect(server.address().port, '127.0.0.1'), (batch) => { for (const { payload } of batch) bytes += payload.length })
      await session.established()
      for (let index = 0; index < 20; index++) if (!session.send({ messageType: 1 }, Buffer.alloc(50_000))) await session.drained()
      while (bytes < 1_000_000) await sleep(1)
      session.close()
      results.push(bytes)
      const client = net.connect(relay.address().port, '127.0.0.1').on('error', () => {})
      client.write('ping')
      results.push(String((await once(client, 'data'))[0]))
      await once(client, 'close')
      await sleep(1)
      console.log(JSON.stringify(results))
      process.exit()`
    const results = JSON.parse(runProgram(program, 20_000))
    // 20 is the code of a DOMException for an abort.
    expect(results).toEqual(['ERR_TIMEOUT', 'ERR_TIMEOUT', 'ERR_TIMEOUT', 20, 1, 1_000_000, 'ping', 'ERR_TIMEOUT'])
  })
})
