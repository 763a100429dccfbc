import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRelay, type Disconnection, type Upstream, type UpstreamRequest } from '../../../src/sv2/index.js'
import { begin, connectThrough, dial, echo, eventually, keep, PATIENCE_MS, startPool } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { relayOptions, startRelay } from '../../support/relay.js'
import { collectGarbage } from '../../support/resident-memory.js'
import { authority } from '../../support/sessions.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

function upstreamOf(port: number): Upstream {
  return { host: '127.0.0.1', port, authorityPublicKey: authority.authorityPublicKey }
}

describe('an upstream that is a function', { timeout: PATIENCE_MS }, () => {
  it('chooses the pool of each miner, which may take time', async () => {
    const pools = [await startPool(keep), await startPool(keep)]
    const asked: UpstreamRequest[] = []
    const { port } = await startRelay(1, {
      upstream: async (connection) => {
        asked.push(connection)
        await new Promise((resolve) => setTimeout(resolve, 20))
        return upstreamOf(pools[connection.id % 2]!.port)
      },
    })
    const miners = [await begin(port), await begin(port)]
    await eventually(() => expect(pools.map(({ peers }) => peers[0]?.frames.length)).toEqual([1, 1]))
    expect(asked).toEqual(
      miners.map(({ socket }, index) => ({
        id: index + 1,
        remoteAddress: '127.0.0.1',
        remotePort: socket.localPort,
      })),
    )
  })

  it('is not asked for a miner that has sent no frame', async () => {
    let asked = 0
    const { relay, port } = await startRelay(1, {
      upstream: () => {
        asked++
        return upstreamOf(1)
      },
      handshakeTimeoutMs: 300,
    })
    const miner = dial(port)
    await eventually(() => expect(miner.closed).toBe(true))
    expect([asked, relay.stats().refused.handshakeTimeout]).toEqual([0, 1])
  })

  it.each<[string, (request: UpstreamRequest) => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('not you')
      },
      'upstream threw Error: not you',
    ],
    ['rejects', () => Promise.reject(null), 'upstream threw null'],
    ['returns nothing', () => undefined, 'upstream threw TypeError'],
    ['returns a bad port', () => ({ host: 'x', port: 0 }), 'upstream threw RangeError'],
    ['returns a bad key', () => ({ host: 'x', port: 1, authorityPublicKey: 'x' }), 'the upstream.authorityPublicKey'],
  ])('that %s ends that connection alone', async (_, choose, reason) => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(1, {
      upstream: (request) => (request.id === 1 ? (choose(request) as Upstream) : upstreamOf(pool.port)),
    })
    const ends: Disconnection[] = []
    relay.on('disconnect', (end) => ends.push(end))
    const refused = await begin(port)
    await eventually(() => expect(refused.closed).toBe(true))
    expect(ends).toMatchObject([{ id: 1, side: 'relay', code: 'USER_CODE', reason: expect.stringContaining(reason) }])
    await connectThrough(port, pool, true)
  })

  it('lets through what was accepted when the relay closes just after the choice', async () => {
    const pool = await startPool(echo)
    let closing: Promise<void> | undefined
    const { relay, port } = await startRelay(1, {
      upstream: () => {
        // The choice is on its way by then, and the connection has perhaps not begun.
        setImmediate(() => (closing = relay.close()))
        return upstreamOf(pool.port)
      },
    })
    const miner = await begin(port)
    await eventually(() => expect(miner.frames.length).toBe(1))
    await closing
  })
})

it('an upstream that refuses a miner which has gone leaves nothing behind', { timeout: PATIENCE_MS }, async () => {
  let refusal: WeakRef<Error> | undefined
  let gone = (): void => {}
  const { relay, port } = await startRelay(1, {
    upstream: async () => {
      await new Promise<void>((resolve) => (gone = resolve))
      const error = new Error('too late')
      refusal = new WeakRef(error)
      throw error
    },
    handshakeTimeoutMs: 1_000,
  })
  relay.on('disconnect', () => gone())
  await begin(port)
  await eventually(() => {
    expect(refusal).toBeDefined()
    collectGarbage()
    expect(refusal!.deref()).toBeUndefined()
  })
})

describe('connections()', { timeout: PATIENCE_MS }, () => {
  it('iterates over the open connections', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { threads: 2 })
    expect([...relay.connections()]).toEqual([])
    const { miner } = await connectThrough(port, pool, true)
    const silent = dial(port)
    await silent.session.established()
    const common = { remoteAddress: '127.0.0.1', ageMs: expect.any(Number) }
    expect([...relay.connections()]).toMatchObject([
      { id: 1, open: true, framesUpstream: 1, framesDownstream: 1, remotePort: miner.socket.localPort, ...common },
      { id: 2, open: false, framesUpstream: 0, framesDownstream: 0, remotePort: silent.socket.localPort, ...common },
    ])
    await miner.end()
    await eventually(() => expect([...relay.connections()].map(({ id }) => id)).toEqual([2]))
  })

  it('iterates over those that were open at the call', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const none = relay.connections()
    const { miner } = await connectThrough(port, pool, true)
    const one = relay.connections()
    await miner.end()
    await eventually(() => expect(relay.stats().connections).toBe(0))
    expect([[...none], [...one].map(({ id }) => id)]).toEqual([[], [1]])
  })
})

describe('threads', { timeout: PATIENCE_MS }, () => {
  it.each([1, 3, 'auto'] as const)('%s carry the frames of many miners', async (threads) => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { threads })
    const miners = Array.from({ length: 12 }, () => dial(port))
    for (const { session } of miners) await session.established()
    const sent = Array.from({ length: 30 }, (_, index) => ({ messageType: index, payload: pattern(500, index) }))
    await Promise.all(miners.map((miner) => miner.sendAll(sent)))
    await eventually(() => expect(miners.every(({ frames }) => frames.length === 30)).toBe(true))
    for (const { frames } of miners) expect(frames).toEqual(sent)
    expect(relay.stats()).toMatchObject({ connections: 12, framesUpstream: 360, framesDownstream: 360 })
  })

  it.each([
    ['ERR_OUT_OF_RANGE', 0],
    ['ERR_OUT_OF_RANGE', 257],
    ['ERR_INVALID_ARG_TYPE', 'many'],
  ])('%s for %s', (code, threads) => {
    expect(() => createRelay(relayOptions(1, { threads: threads as never }))).toThrow(expect.objectContaining({ code }))
  })
})

/** Starts a relay in a process of its own, which then runs `after`. */
async function relayProcess(poolPort: number, after: string) {
  const code = `import { createRelay } from './dist/src/sv2/index.js'
    const relay = createRelay(JSON.parse(process.argv[1]))
    console.log((await relay.listen()).port)
    ${after}`
  const args = ['--input-type=module', '-e', code, JSON.stringify(relayOptions(poolPort))]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const [port] = await once(createInterface(child.stdout), 'line')
  return { child, port: Number(port) }
}

describe('the process of a relay', { timeout: PATIENCE_MS }, () => {
  it('may run JavaScript for ever, and frames still pass', async () => {
    const pool = await startPool(echo)
    const { port } = await relayProcess(pool.port, 'setTimeout(() => { while (true); }, 50)')
    await new Promise((resolve) => setTimeout(resolve, 200))
    const { miner } = await connectThrough(port, pool, true)
    for (let round = 1; round <= 20; round++) {
      miner.session.send({ messageType: 1 }, pattern(1000, round))
      await eventually(() => expect(miner.frames.length).toBe(round))
    }
  })

  it.each([
    ['ends, since nothing else keeps it, after unref()', 'relay.unref()', true],
    ['goes on after unref() and ref()', 'relay.unref().ref()', false],
  ])('%s', async (_, after, ends) => {
    const { child } = await relayProcess(1, after)
    if (ends) {
      if (child.exitCode === null) await once(child, 'exit')
      expect(child.exitCode).toBe(0)
    } else {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      expect(child.exitCode).toBeNull()
    }
  })
})
