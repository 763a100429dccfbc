import { spawn } from 'node:child_process'
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  createRelay,
  type Disconnection,
  generateAuthorityKeypair,
  type RelayOptions,
  Sv2Session,
} from '../../../src/sv2/index.js'
import {
  begin,
  connectThrough,
  dial,
  echo,
  eventually,
  listening,
  PATIENCE_MS,
  type Peer,
  quiet,
  startPool,
} from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { relayOptions, startRelay } from '../../support/relay.js'
import { authority, drain } from '../../support/sessions.js'
import { raw } from '../../support/sockets.js'

/** Milliseconds. Long enough for a good handshake on a busy machine. */
const HANDSHAKE_TIMEOUT_MS = 1000

/** Starts a relay, and returns its reports of connections that end. */
async function told(poolPort: number, options?: Partial<RelayOptions>) {
  const { relay, port } = await startRelay(poolPort, options)
  const ends: Disconnection[] = []
  relay.on('disconnect', (end) => ends.push(end))
  const one = async (): Promise<Disconnection> => {
    await eventually(() => expect(ends.length).toBe(1))
    expect(relay.stats().connections).toBe(0)
    return ends[0]!
  }
  return { relay, port, ends, one }
}

/** Starts a server that is not an Sv2 pool. `answer` receives each connection. */
function otherServer(answer: (socket: Socket) => void): Server {
  return createServer((socket) => {
    socket.on('error', () => {})
    socket.resume()
    answer(socket)
  })
}

type LookupDone = (error: Error | null, addresses: { address: string; family: number }[]) => void

/** Replaces the name lookup of upstreams with `answer` until the end of the test. */
function lookUp(answer: (done: LookupDone) => void): void {
  const { lookup } = dns
  dns.lookup = ((...args: [host: string, options: object, done: LookupDone]) =>
    args[0] === UPSTREAM ? answer(args[2]) : Reflect.apply(lookup, dns, args)) as never
  onTestFinished(() => {
    dns.lookup = lookup
  })
}

const UPSTREAM = 'pool.test'

/** Connects a miner, and sends a frame there and back. */
async function inTraffic(port: number, pool: { peers: Peer[] }): Promise<{ miner: Peer; peer: Peer }> {
  const miner = await begin(port)
  await eventually(() => expect(miner.frames.length).toBe(1))
  return { miner, peer: pool.peers.at(-1)! }
}

describe('disconnect names the side that ended', { timeout: PATIENCE_MS }, () => {
  it.each([
    ['miner', 'ends', 'downstream', 'ENDED', null],
    ['miner', 'is killed', 'downstream', 'ENDED', 'ECONNRESET'],
    ['pool', 'ends', 'upstream', 'ENDED', null],
    ['pool', 'is killed', 'upstream', 'ENDED', 'ECONNRESET'],
  ])('when the %s %s', async (who, how, side, code, error) => {
    const pool = await startPool(echo)
    const { port, one } = await told(pool.port)
    const { miner, peer } = await inTraffic(port, pool)
    const { socket } = who === 'miner' ? miner : peer
    if (how === 'ends') socket.end()
    else socket.resetAndDestroy()
    const end = await one()
    expect(end).toEqual({
      id: 1,
      remoteAddress: '127.0.0.1',
      side,
      code,
      reason: expect.stringContaining(`${side} ended`),
      error: error === null ? null : expect.objectContaining({ code: error }),
      framesUpstream: 1,
      framesDownstream: 1,
      durationMs: expect.any(Number),
    })
    expect(end.durationMs).toBeGreaterThan(0)
    expect(Number.isInteger(end.durationMs)).toBe(true)
  })

  it('when the process of the pool is killed', async () => {
    const code = `import { createServer } from 'node:net'
      import { Sv2Session } from './dist/src/sv2/index.js'
      createServer((socket) => {
        socket.on('error', () => {})
        const session = Sv2Session.responder(JSON.parse(process.argv[1]))
        session.attach(socket, (batch) => session.forward(batch, session))
      }).listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
    const args = ['--input-type=module', '-e', code, JSON.stringify(authority)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const [text] = await once(child.stdout.setEncoding('utf8'), 'data')
    const { port, one } = await told(Number(text))
    const miner = dial(port)
    await miner.session.established()
    miner.session.send({ messageType: 1 }, pattern(10))
    await eventually(() => expect(miner.frames.length).toBe(1))
    child.kill('SIGKILL')
    expect(await one()).toMatchObject({ side: 'upstream', code: 'ENDED', framesUpstream: 1, framesDownstream: 1 })
  })
})

describe('disconnect reports how far the miner came', { timeout: PATIENCE_MS }, () => {
  it.each(['end', 'resetAndDestroy'] as const)('left in its handshake, by %s', async (how) => {
    const { port, one } = await told(1)
    const socket = raw(port)
    socket.write(pattern(33, 1), () => setTimeout(() => socket[how](), 50))
    expect(await one()).toMatchObject({
      side: 'downstream',
      code: 'ENDED_IN_HANDSHAKE',
      reason: expect.stringMatching(/^downstream ended in the handshake, after 33 of the 64 bytes /),
    })
  })

  it.each(['end', 'resetAndDestroy'] as const)('left after the handshake without a frame, by %s', async (how) => {
    const pool = await startPool(echo)
    const { relay, port, one } = await told(pool.port)
    const miner = dial(port)
    await miner.session.established()
    miner.socket[how]()
    expect(await one()).toMatchObject({
      side: 'downstream',
      code: 'ENDED_WITHOUT_FRAME',
      reason: expect.stringMatching(
        /^downstream ended after the handshake without a frame.*authority public key.*clock/,
      ),
    })
    expect(relay.stats().handshakeFailures).toBe(1)
  })

  it('left because it expects another authority key', async () => {
    const pool = await startPool(echo)
    const { port, one } = await told(pool.port)
    dial(port, { authorityPublicKey: generateAuthorityKeypair().publicKey })
    expect(await one()).toMatchObject({
      side: 'downstream',
      code: 'ENDED_WITHOUT_FRAME',
      reason: expect.stringContaining('authority public key'),
    })
  })

  it.each(['end', 'resetAndDestroy'] as const)('left in the middle of a frame, by %s', async (how) => {
    const pool = await startPool()
    const { relay, port, one } = await told(pool.port)
    const session = Sv2Session.initiator({ authorityPublicKey: authority.authorityPublicKey })
    const socket = raw(port)
    socket.on('data', (chunk) => session.receive(chunk))
    socket.write(drain(session))
    await eventually(() => expect(session.state).toBe('transport'))
    session.send({ messageType: 1 }, pattern(500))
    session.send({ messageType: 2 }, pattern(5000))
    const wire = drain(session)
    socket.write(wire.subarray(0, wire.length - 1))
    await eventually(() => expect(relay.stats()).toMatchObject({ framesUpstream: 1 }))
    await quiet()
    socket[how]()
    expect(await one()).toMatchObject({
      side: 'downstream',
      code: 'ENDED_IN_FRAME',
      reason: expect.stringMatching(/^downstream ended in the middle of a frame, after 5037 bytes of it/),
      framesUpstream: 1,
    })
    session.close()
  })
})

describe('the handshake timeout', { timeout: PATIENCE_MS }, () => {
  it('runs until the first frame of the miner, which random bytes cannot be', async () => {
    const random = new Random()
    const pool = await startPool(echo)
    const { relay, port, ends } = await told(pool.port, { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    const count = 20
    for (let index = 0; index < count; index++) raw(port).write(random.bytes(64 + (index % 22)))
    await eventually(() => expect(ends.length, random.origin).toBe(count))
    for (const end of ends) {
      expect(end).toMatchObject({ side: 'downstream', code: 'HANDSHAKE_TIMEOUT' })
      expect(end.reason).toContain('downstream sent no frame')
    }
    expect(relay.stats()).toMatchObject({ connections: 0, handshakeFailures: count, memoryBytes: 0 })
    // The pool has never heard of them.
    expect(pool.peers.length).toBe(0)
  })

  it('ends a miner that is silent after its handshake, of which the pool never hears', async () => {
    const pool = await startPool(echo)
    const { port, one } = await told(pool.port, { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    const miner = dial(port)
    await miner.session.established()
    expect(await one()).toMatchObject({ side: 'downstream', code: 'HANDSHAKE_TIMEOUT', framesUpstream: 0 })
    expect(pool.peers.length).toBe(0)
  })

  it('leaves a miner alone that has sent a frame', async () => {
    const pool = await startPool(echo)
    const { port, ends } = await told(pool.port, { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    const { miner } = await inTraffic(port, pool)
    await new Promise((resolve) => {
      setTimeout(resolve, 1.5 * HANDSHAKE_TIMEOUT_MS)
    })
    miner.session.send({ messageType: 1 }, pattern(10))
    await eventually(() => expect(miner.frames.length).toBe(2))
    expect(ends).toEqual([])
  })

  it.each([
    ['says nothing', 0],
    ['stops in its message', 233],
  ])('names a pool that %s', async (_, bytes) => {
    const server = otherServer((socket) => socket.write(pattern(bytes, 1)))
    const { port, one } = await told(await listening(server), { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    await begin(port)
    expect(await one()).toMatchObject({
      side: 'upstream',
      code: 'HANDSHAKE_TIMEOUT',
      reason: `handshake timeout: upstream sent ${bytes} of the 234 bytes of its first message`,
    })
  })

  it('names a pool that cannot be reached in time', async () => {
    // A lookup that never answers stands for an address that never answers.
    lookUp(() => {})
    const { port, one } = await told(1, {
      upstream: { host: UPSTREAM, port: 1 },
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
    })
    await begin(port)
    expect(await one()).toMatchObject({
      side: 'upstream',
      code: 'HANDSHAKE_TIMEOUT',
      reason: 'handshake timeout: no connection to the upstream',
    })
  })
})

describe('a protocol other than Sv2 is named', { timeout: PATIENCE_MS }, () => {
  const SV1 = '{"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]}\n'
  const spoken: [string, string, string | Buffer][] = [
    ['plain text', 'plain text', 'hello\r\n'],
    ['plain text of 64 bytes', 'plain text', 'grüße '.repeat(8)],
    ['SSH', 'plain text', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['Sv1', 'Stratum V1 (JSON)', SV1],
    ['Sv1, beginning with its id', 'Stratum V1 (JSON)', SV1.slice(0, 20)],
    ['two lines of Sv1', 'Stratum V1 (JSON)', SV1.repeat(2)],
    ['HTTP', 'HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    [
      'HTTP of 76 bytes',
      'HTTP',
      'GET /health HTTP/1.1\r\nHost: x\r\nUser-Agent: kube-probe/1.30\r\nAccept: */*\r\n\r\n',
    ],
    ['the preface of HTTP/2', 'HTTP', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['the PROXY protocol', 'the PROXY protocol', 'PROXY TCP4 10.0.0.1 10.0.0.2 50000 3333\r\n'],
    ['a record of TLS', 'TLS', Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), pattern(300, 1)])],
  ]

  it.each(spoken)('%s from a miner', async (_, name, bytes) => {
    const pool = await startPool(echo)
    const { relay, port, one } = await told(pool.port, { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    raw(port).write(bytes)
    expect(await one()).toMatchObject({
      side: 'downstream',
      code: 'NOT_SV2',
      reason: `downstream speaks ${name}, not Stratum V2`,
    })
    expect(relay.stats().handshakeFailures).toBe(1)
    // Text is no handshake, so the relay does not connect to the pool.
    expect(pool.peers.length).toBe(0)
  })

  it('a real client of TLS', async () => {
    const { port, one } = await told(1)
    connectTls({ port, host: '127.0.0.1' }).on('error', () => {})
    expect(await one()).toMatchObject({ side: 'downstream', code: 'NOT_SV2', reason: expect.stringContaining('TLS') })
  })

  it('even when the client leaves by itself', async () => {
    const { port, one } = await told(1)
    raw(port).end('hello\n')
    expect(await one()).toMatchObject({ code: 'NOT_SV2', reason: 'downstream speaks plain text, not Stratum V2' })
  })

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', true],
    ['Stratum V1 (JSON)', '{"id":null,"method":"client.show_message","params":["x"]}\n', false],
    ['TLS', Buffer.from([21, 3, 3, 0, 2, 2, 22]), true],
    ['plain text', 'a'.repeat(2000), false],
  ])('%s from a pool', async (name, bytes, ends) => {
    const server = otherServer((socket) => {
      if (ends) socket.end(bytes)
      else socket.write(bytes)
    })
    const { port, one } = await told(await listening(server), { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    await begin(port)
    expect(await one()).toMatchObject({
      side: 'upstream',
      code: 'NOT_SV2',
      reason: `upstream speaks ${name}, not Stratum V2`,
    })
  })

  it('but is not guessed', async () => {
    const pool = await startPool(echo)
    const { port, one } = await told(pool.port)
    raw(port).write(pattern(1000, 1))
    expect(await one()).toMatchObject({
      side: 'downstream',
      code: 'ERR_SV2_AEAD',
      reason: expect.stringContaining('may be no Stratum V2 at all'),
      error: { code: 'ERR_SV2_AEAD' },
    })
  })
})

describe('the cause of a broken connection', { timeout: PATIENCE_MS }, () => {
  it.each([
    ['miner', 'downstream'],
    ['pool', 'upstream'],
  ])('a frame over the limit, from the %s: the option is named', async (who, side) => {
    const pool = await startPool(echo)
    const { port, one } = await told(pool.port, { maxFrameSize: 1000 })
    const { miner, peer } = await inTraffic(port, pool)
    const { session } = who === 'miner' ? miner : peer
    session.send({ messageType: 1 }, pattern(1001))
    expect(await one()).toMatchObject({
      side,
      code: 'ERR_SV2_FRAME_TOO_LARGE',
      reason: `${side}: over maxFrameSize (--max-frame-size): a frame of 1001 bytes is larger than the maximum frame size of 1000`,
      error: { code: 'ERR_SV2_FRAME_TOO_LARGE' },
    })
  })

  it('a frame that exceeds the budget: the option is named', async () => {
    const pool = await startPool(echo)
    const { port, one } = await told(pool.port, { maxMemory: 1 << 20 })
    const { miner } = await inTraffic(port, pool)
    miner.session.send({ messageType: 1 }, pattern(200_000))
    expect(await one()).toMatchObject({
      side: 'downstream',
      code: 'ERR_MEMORY_LIMIT',
      reason: expect.stringContaining('over maxMemory (--max-memory): '),
    })
  })

  it('a pool with another key', async () => {
    const pool = await startPool(echo)
    const upstream = { host: '127.0.0.1', port: pool.port, authorityPublicKey: generateAuthorityKeypair().publicKey }
    const { port, one } = await told(pool.port, { upstream })
    await begin(port)
    expect(await one()).toMatchObject({
      side: 'upstream',
      code: 'ERR_SV2_CERTIFICATE',
      reason: expect.stringContaining('signed by another authority key'),
    })
  })

  it('a pool that refuses the connection at each of its addresses', async () => {
    const closed = createServer()
    const poolPort = await listening(closed)
    await new Promise((resolve) => {
      closed.close(resolve)
    })
    lookUp((done) => {
      const addresses = [
        { address: '::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ]
      process.nextTick(done, null, addresses)
    })
    const { port, one } = await told(1, { upstream: { host: UPSTREAM, port: poolPort } })
    await begin(port)
    const end = await one()
    expect(end).toMatchObject({ side: 'upstream', code: 'ECONNREFUSED', error: { name: 'AggregateError' } })
    expect(end.reason).toContain(`ECONNREFUSED 127.0.0.1:${poolPort}`)
    expect(end.reason).toContain('::1')
  })

  it('a lookup that throws', async () => {
    lookUp(() => {
      throw null
    })
    const { port, one } = await told(1, { upstream: { host: UPSTREAM, port: 1 } })
    await begin(port)
    expect(await one()).toMatchObject({ side: 'relay', reason: 'null', error: expect.any(Error) })
  })

  it.each<[string, unknown[]]>([
    ['nothing', [null, undefined]],
    ['a list of nothing', [null, [null]]],
    ['a list of names', [null, [{ address: 'name.test', family: 4 }]]],
    ['a list of numbers', [null, [{ address: 5, family: 4 }]]],
  ])('a lookup that gives %s, which hangs neither that connection nor listen() and close()', async (_, answer) => {
    lookUp((done) => setImmediate(() => (done as (...answer: unknown[]) => void)(...answer)))
    const { port, one } = await told(1, { upstream: { host: UPSTREAM, port: 1 } })
    await begin(port)
    expect(await one()).toMatchObject({ side: 'relay', code: 'ERR_INVALID_ARG_TYPE' })
    const relay = createRelay(relayOptions(1, { listen: { host: UPSTREAM, port: 0 } }))
    await expect(relay.listen()).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await relay.close()
  })

  it('a lookup that fails with what is no error', async () => {
    lookUp((done) => setImmediate(() => done('a text' as never, [])))
    const { port, one } = await told(1, { upstream: { host: UPSTREAM, port: 1 } })
    await begin(port)
    expect(await one()).toMatchObject({ side: 'upstream', error: { cause: 'a text' } })
  })

  it('no fault: a lookup that gives one address, as sockets take it', async () => {
    const pool = await startPool(echo)
    lookUp((done) => setImmediate(() => done(null, '127.0.0.1' as never)))
    const { port } = await startRelay(pool.port, { upstream: { host: UPSTREAM, port: pool.port } })
    const miner = await begin(port)
    await eventually(() => expect(miner.frames.length).toBe(1))
  })
})

describe('the last message of a pool that left', { timeout: PATIENCE_MS }, () => {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')])
  const error = (code: string): Buffer => Buffer.concat([Buffer.alloc(4), text(code)])
  const reconnect = (host: string, port: number): Buffer => {
    const bytes = Buffer.alloc(2)
    bytes.writeUInt16LE(port)
    return Buffer.concat([text(host), bytes])
  }
  const messages: [string, number, Buffer, string][] = [
    ['SetupConnection.Error', 0x02, error('unsupported-protocol'), '"unsupported-protocol"'],
    ['OpenMiningChannel.Error', 0x12, error('unknown-user'), '"unknown-user"'],
    ['Reconnect', 0x04, reconnect('pool2.example', 3333), 'to "pool2.example", port 3333'],
    ['Reconnect', 0x04, reconnect('', 0), 'to the same host, the same port'],
    ['Reconnect', 0x04, Buffer.from([5, 97]), '(malformed)'],
    ['Reconnect', 0x04, reconnect('a', 1).subarray(0, 3), '(malformed)'],
    ['Reconnect', 0x04, Buffer.alloc(0), '(malformed)'],
    ['SetupConnection.Error', 0x02, Buffer.alloc(4), '(malformed)'],
    [
      'SetupConnection.Error',
      0x02,
      error('\n2026 connection 7 ended\x1b[2J"\\\xff'),
      '"?2026 connection 7 ended?[2J???"',
    ],
    ['OpenMiningChannel.Error', 0x12, error('x'.repeat(255)), `"${'x'.repeat(100)}…"`],
    // The message has TLVs after its fields.
    ['SetupConnection.Error', 0x02, Buffer.concat([error('no'), pattern(500)]), '"no"'],
  ]

  it.each(messages)('%s (0x%i): %o is shown as %s', async (name, messageType, payload, shown) => {
    for (const onFrame of [undefined, () => 'forward' as const]) {
      const pool = await startPool(echo)
      const { port, one } = await told(pool.port, onFrame && { onFrame })
      const { miner, peer } = await inTraffic(port, pool)
      peer.session.send({ messageType }, payload)
      peer.session.send({ messageType: 0x20 }, pattern(40))
      await eventually(() => expect(miner.frames.length).toBe(3))
      peer.socket.end()
      expect(await one()).toMatchObject({
        side: 'upstream',
        code: 'ENDED',
        reason: `upstream ended; the mining pool had sent ${name} ${shown}`,
      })
    }
  })

  it('shows the last of several, or the message that replaced it', async () => {
    const pool = await startPool(echo)
    const onFrame: RelayOptions['onFrame'] = ({ messageType }) =>
      messageType === 0x12 ? error('of the proxy') : 'forward'
    const { port, one } = await told(pool.port, { onFrame })
    const { miner, peer } = await inTraffic(port, pool)
    peer.session.send({ messageType: 0x02 }, error('first'))
    peer.session.send({ messageType: 0x12 }, error('last'))
    await eventually(() => expect(miner.frames.length).toBe(3))
    miner.socket.end()
    expect((await one()).reason).toBe(
      'downstream ended; the mining pool had sent OpenMiningChannel.Error "of the proxy"',
    )
  })

  it.each<[string, Partial<RelayOptions>]>([
    ['', {}],
    [' with onFrame', { onFrame: ({ messageType }) => (messageType === 0x12 ? 'drop' : 'forward') }],
  ])('shows none that came from the miner, was dropped, or is of another extension%s', async (_, options) => {
    const pool = await startPool()
    const { port, one } = await told(pool.port, options)
    const { miner, peer } = await connectThrough(port, pool, false)
    miner.session.send({ messageType: 0x02 }, error('of the miner'))
    await eventually(() => expect(peer.frames.length).toBe(1))
    if (options.onFrame) peer.session.send({ messageType: 0x12 }, error('dropped'))
    peer.session.send({ messageType: 0x02, extensionType: 1 }, error('of an extension'))
    await eventually(() => expect(miner.frames.length).toBe(1))
    miner.socket.end()
    expect((await one()).reason).toBe('downstream ended')
  })
})

describe('a bad key', () => {
  const other = generateAuthorityKeypair()
  const upstream = { host: 'x', port: 1 }
  it.each<[string, Partial<RelayOptions>, string]>([
    ['options.authorityPublicKey', { authorityPublicKey: 'x' }, 'ERR_SV2_KEY'],
    ['options.authorityPublicKey', { authorityPublicKey: other.secretKey }, 'ERR_SV2_KEY'],
    ['options.authoritySecretKey', { authoritySecretKey: 'x' }, 'ERR_SV2_KEY'],
    ['options.authoritySecretKey', { authoritySecretKey: other.secretKey }, 'ERR_SV2_KEY'],
    ['options.upstream.authorityPublicKey', { upstream: { ...upstream, authorityPublicKey: 'x' } }, 'ERR_SV2_KEY'],
    ['options.authorityPublicKey', { authorityPublicKey: 5 as never }, 'ERR_INVALID_ARG_TYPE'],
    ['options.authoritySecretKey', { authoritySecretKey: null as never }, 'ERR_INVALID_ARG_TYPE'],
    [
      'options.upstream.authorityPublicKey',
      { upstream: { ...upstream, authorityPublicKey: 5 as never } },
      'ERR_INVALID_ARG_TYPE',
    ],
  ])('says that it is %s (%o)', (name, options, code) => {
    let error: { code?: string; message: string } | null = null
    try {
      createRelay(relayOptions(1, options))
    } catch (thrown) {
      error = thrown as Error
    }
    expect(error?.code).toBe(code)
    expect(error?.message.startsWith(name)).toBe(true)
    expect(error?.message).not.toContain(other.secretKey)
  })
})
