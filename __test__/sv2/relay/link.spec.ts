import { describe, expect, it } from 'vitest'
import type { Disconnection, RelayLinkHandle, Verdict } from '../../../src/sv2/index.js'
import {
  ProvideMissingTransactionsSuccess,
  SetTarget,
  SubmitSharesError,
  SubmitSharesStandard,
} from '../../../src/sv2/messages/index.js'
import { codeOf } from '../../support/code-of.js'
import { dial, echo, eventually, keep, PATIENCE_MS, quiet, startPool } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { startRelay } from '../../support/relay.js'

const target = { channelId: 1, maximumTarget: new Uint8Array(32) }
const refusal = { channelId: 1, sequenceNumber: 2, errorCode: 'banned' }

describe('the link that onFrame gets', { timeout: PATIENCE_MS }, () => {
  it('is the same for all frames of a miner, both ways, and keeps what it is given', async () => {
    const pool = await startPool(echo)
    const links = new Map<number, Set<RelayLinkHandle>>()
    const { relay, port } = await startRelay(pool.port, {
      onFrame: (_frame, direction, link) => {
        const known = links.get(link.id) ?? new Set()
        links.set(link.id, known.add(link))
        link.data = `${link.data ?? ''}${direction[0]}`
        return 'forward'
      },
    })
    const connected: object[] = []
    relay.on('connection', (connection) => connected.push(connection))
    const miners = [dial(port), dial(port)]
    for (const miner of miners) {
      await miner.session.established()
      miner.session.send({ messageType: 1 }, pattern(10))
      await eventually(() => expect(miner.frames.length).toBe(1))
    }
    expect([...links.keys()]).toEqual([1, 2])
    for (const [link, ...others] of [...links.values()].map((known) => [...known])) {
      expect(others).toEqual([])
      expect(link).toMatchObject({ remoteAddress: '127.0.0.1', data: 'ud' })
      expect(connected).toContainEqual({ id: link!.id, remoteAddress: '127.0.0.1' })
    }
    const ports = miners.map(({ socket }) => socket.localPort)
    expect([...links.values()].map((known) => [...known][0]!.remotePort)).toEqual(ports)
    const link = [...links.get(1)!][0]!
    for (const name of ['id', 'remoteAddress', 'remotePort']) expect(Reflect.set(link, name, 0)).toBe(false)
    expect(link).toMatchObject({ id: 1, remoteAddress: '127.0.0.1', remotePort: ports[0] })
  })

  it('sends messages either way, behind what was forwarded', async () => {
    const pool = await startPool(keep)
    const { port } = await startRelay(pool.port, {
      onFrame: ({ messageType }, _, link) => {
        if (messageType !== 2) return 'forward'
        link.send('upstream', SetTarget, target)
        link.send('downstream', SubmitSharesError, refusal)
        return 'drop'
      },
    })
    const miner = dial(port)
    await miner.session.established()
    for (const messageType of [1, 2, 3]) miner.session.send({ messageType }, pattern(10))
    await eventually(() => expect(pool.peers[0]?.frames.length).toBe(3))
    expect(pool.peers[0]!.frames.map(({ messageType }) => messageType)).toEqual([1, SetTarget.messageType, 3])
    await eventually(() => expect(miner.frames.length).toBe(1))
    expect(SubmitSharesError.decode(miner.frames[0]!.payload)).toEqual(refusal)
  })

  it('passes on a frame that was edited in place if it is returned, and as it came if not', async () => {
    const pool = await startPool(keep)
    const { port } = await startRelay(pool.port, {
      onFrame: ({ payload }) => {
        const even = SubmitSharesStandard.get.sequenceNumber(payload) % 2 === 0
        SubmitSharesStandard.set.channelId(payload, 99)
        return even ? payload : 'forward'
      },
    })
    const miner = dial(port)
    await miner.session.established()
    const share = { channelId: 1, jobId: 1, nonce: 2, ntime: 3, version: 4 }
    for (const sequenceNumber of [0, 1, 2, 3]) {
      miner.session.send(SubmitSharesStandard, { ...share, sequenceNumber })
    }
    await eventually(() => expect(pool.peers[0]?.frames.length).toBe(4))
    expect(pool.peers[0]!.frames.map(({ payload }) => SubmitSharesStandard.decode(payload))).toEqual(
      [0, 1, 2, 3].map((sequenceNumber) => ({
        ...share,
        sequenceNumber,
        channelId: sequenceNumber % 2 === 0 ? 99 : 1,
      })),
    )
  })

  it('sends as much as is asked for, and holds the link meanwhile', async () => {
    const pool = await startPool(keep)
    let full = false
    const { relay, port } = await startRelay(pool.port, {
      onFrame: (_, _direction, link) => {
        for (let count = 0; count < 3_000; count++) full = !link.send('downstream', SetTarget, target) || full
        return 'drop'
      },
    })
    const miner = dial(port)
    await miner.session.established()
    for (const messageType of [1, 2]) miner.session.send({ messageType }, pattern(10))
    await eventually(() => expect(miner.frames.length).toBe(6_000))
    expect(full).toBe(true)
    expect(relay.stats().connections).toBe(1)
  })

  it('refuses a message that no frame carries, and goes on', async () => {
    const pool = await startPool(keep)
    const codes: unknown[] = []
    const { port } = await startRelay(pool.port, {
      onFrame: ({ messageType }, _, link) => {
        if (messageType !== 2) return 'forward'
        const list = { requestId: 1, transactionList: [new Uint8Array(0xff_ffff)] }
        codes.push(codeOf(() => link.send('upstream', ProvideMissingTransactionsSuccess, list)))
        return 'forward'
      },
    })
    const miner = dial(port)
    await miner.session.established()
    for (const messageType of [1, 2, 3]) miner.session.send({ messageType }, pattern(10))
    await eventually(() => expect(pool.peers[0]?.frames.length).toBe(3))
    expect(pool.peers[0]!.frames.map(({ messageType }) => messageType)).toEqual([1, 2, 3])
    expect(codes).toEqual(['ERR_OUT_OF_RANGE'])
  })

  it('closes with a reason, when what it has sent is out', async () => {
    const pool = await startPool(echo)
    let kept: RelayLinkHandle | undefined
    const { relay, port } = await startRelay(pool.port, {
      onFrame: (_, direction, link) => {
        kept = link
        if (direction === 'downstream') return 'forward'
        link.send('downstream', SubmitSharesError, refusal)
        link.close('banned\nfor good')
        return 'drop'
      },
    })
    const ends: Disconnection[] = []
    relay.on('disconnect', (end) => ends.push(end))
    const miner = dial(port)
    await miner.session.established()
    for (const messageType of [1, 2]) miner.session.send({ messageType }, pattern(10))
    await eventually(() => expect(miner.frames.length).toBe(1))
    await miner.end()
    await eventually(() => expect(ends.length).toBe(1))
    expect(ends[0]).toMatchObject({ side: 'relay', code: 'LINK_CLOSED', reason: 'banned for good', framesUpstream: 0 })
    expect(miner.frames.length).toBe(1)
    expect(codeOf(() => kept!.send('upstream', SetTarget, target))).toBe('ERR_SV2_STATE')
    kept!.close()
    expect(codeOf(() => kept!.close(3 as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => kept!.send('sideways' as never, SetTarget, target))).toBe('ERR_INVALID_ARG_TYPE')
  })
})

describe('verdicts that are promised', { timeout: PATIENCE_MS }, () => {
  it('keep the order of frames, in each direction by itself', async () => {
    const pool = await startPool(echo)
    const { port } = await startRelay(pool.port, {
      onFrame: async ({ messageType, payload }, direction): Promise<Verdict> => {
        if (direction === 'upstream') await new Promise((resolve) => setTimeout(resolve, messageType % 3))
        if (messageType === 10) return 'drop'
        return messageType % 2 === 0 ? new Uint8Array(payload) : 'forward'
      },
    })
    const miner = dial(port)
    await miner.session.established()
    const types = Array.from({ length: 60 }, (_, index) => index)
    for (const messageType of types) {
      miner.session.send({ messageType }, pattern(200, messageType))
      if (messageType % 20 === 0) await quiet()
    }
    await eventually(() => expect(miner.frames.length).toBe(59))
    expect(miner.frames).toEqual(
      types
        .filter((messageType) => messageType !== 10)
        .map((messageType) => ({ messageType, payload: pattern(200, messageType) })),
    )
  })

  it('stop the reading of their direction alone', async () => {
    const pool = await startPool(keep)
    let settle: (verdict: Verdict) => void = () => {}
    let asked = 0
    const { relay, port } = await startRelay(pool.port, {
      onFrame: (_, direction) => {
        if (direction === 'downstream') return 'forward'
        asked++
        return asked > 1 ? 'forward' : new Promise((resolve) => (settle = resolve))
      },
    })
    const miner = dial(port)
    await miner.session.established()
    const done = miner.sendAll(Array.from({ length: 50 }, () => ({ messageType: 1, payload: pattern(100_000) })))
    await eventually(() => expect(asked).toBe(1))
    await quiet()
    expect(relay.stats()).toMatchObject({ framesUpstream: 0 })
    pool.peers[0]!.session.send({ messageType: 7 }, pattern(5))
    await eventually(() => expect(miner.frames.length).toBe(1))
    settle('drop')
    await done
    await eventually(() => expect(pool.peers[0]!.frames.length).toBe(49))
  })

  it('let a miner go, and its last frame through', async () => {
    const pool = await startPool(keep)
    let settle: (verdict: Verdict) => void = () => {}
    const { relay, port } = await startRelay(pool.port, {
      onFrame: () => new Promise((resolve) => (settle = resolve)),
      maxMemory: 1 << 22,
    })
    const miner = dial(port)
    await miner.session.established()
    miner.session.send({ messageType: 1 }, pattern(10))
    await quiet()
    const closed = relay.close({ drainMs: PATIENCE_MS })
    await quiet()
    settle('forward')
    await eventually(() => expect(pool.peers[0]!.frames.length).toBe(1))
    await miner.end()
    await closed
  })

  it('are dropped with the link that they are of', async () => {
    const pool = await startPool(keep)
    const { relay, port } = await startRelay(pool.port, { onFrame: () => new Promise(() => {}) })
    const miner = dial(port)
    await miner.session.established()
    miner.session.send({ messageType: 1 }, pattern(10))
    await quiet()
    await relay.close({ drainMs: 10 })
    expect(relay.stats()).toMatchObject({ connections: 0, memoryBytes: 0 })
  })
})

describe('hookMessages', { timeout: PATIENCE_MS }, () => {
  it('says which frames come', async () => {
    const pool = await startPool(echo)
    const seen: [number, number][] = []
    const { relay, port } = await startRelay(pool.port, {
      hookMessages: [3, SubmitSharesStandard, { extensionType: 5, messageType: 1 }],
      onFrame: ({ messageType, extensionType }) => {
        seen.push([extensionType, messageType])
        return messageType === 3 ? 'drop' : 'forward'
      },
    })
    const miner = dial(port)
    await miner.session.established()
    const sent = [
      [0, 1],
      [0, 0x1a],
      [0, 2],
      [0, 3],
      [5, 1],
      [6, 3],
    ] as const
    for (const [extensionType, messageType] of sent) {
      miner.session.send({ extensionType, messageType, channelMessage: true }, pattern(10))
    }
    await eventually(() => expect(miner.frames.length).toBe(5))
    expect(miner.frames.map(({ messageType }) => messageType)).toEqual([1, 0x1a, 2, 1, 3])
    expect(seen.filter(([, type]) => type === 3)).toEqual([[0, 3]])
    expect(seen.length).toBe(5)
    expect(relay.stats()).toMatchObject({ framesUpstream: 5, framesDownstream: 5 })
  })

  it('is checked', async () => {
    const start = (hookMessages: unknown) => startRelay(1, { hookMessages: hookMessages as never })
    for (const wrong of [[256], [-1], [{ extensionType: 0x8000, messageType: 1 }]]) {
      await expect(start(wrong)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    }
    for (const wrong of [1, ['SetTarget'], [null], new Array(1)]) {
      await expect(start(wrong)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    }
  })
})
