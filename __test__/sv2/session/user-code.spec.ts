import { describe, expect, it } from 'vitest'
import { inspect } from '../../../index.js'
import { type Frame, Sv2Session } from '../../../src/sv2/index.js'
import { SubmitSharesSuccess } from '../../../src/sv2/messages/index.js'
import { eventually, PATIENCE_MS } from '../../support/network.js'
import { authority, drain, pair, strangers } from '../../support/sessions.js'
import { connected } from '../../support/sockets.js'
import { THROWN, throwing, thrownBy, trap } from '../../support/thrown.js'
import { uncaught } from '../../support/uncaught.js'

/** Connects two sessions, each attached to its end of a connection. `responder` calls `onBatch`. */
async function wired(
  onBatch?: (payloads: string[]) => void,
): Promise<{ initiator: Sv2Session; responder: Sv2Session }> {
  const { initiator, responder } = strangers()
  const { dialled, accepted } = await connected()
  initiator.attach(dialled)
  const texts = (batch: Iterable<Frame>): string[] => [...batch].map(({ payload }) => Buffer.from(payload).toString())
  responder.attach(accepted, onBatch && ((batch) => onBatch(texts(batch))))
  await initiator.established({ timeoutMs: PATIENCE_MS })
  return { initiator, responder }
}

describe.each(THROWN)('%s, thrown', { timeout: PATIENCE_MS }, (_, thrown) => {
  it('by map of pipe() is an uncaught exception, and drops the rest of its batch alone', async () => {
    const failures = uncaught()
    const seen: string[] = []
    const from = await wired()
    const to = await wired((texts) => seen.push(...texts))
    const map = (frame: Frame): Frame => (frame.messageType === 2 ? throwing(thrown)() : frame)
    from.responder.pipe(to.initiator, map)
    const send = (messageType: number, text: string): boolean => from.initiator.send({ messageType }, Buffer.from(text))
    send(1, 'before')
    send(2, 'thrown at')
    send(1, 'rest of the batch')
    await eventually(() => expect(failures).toHaveLength(1))
    send(1, 'next batch')
    await eventually(() => expect(seen).toHaveLength(2))
    expect([seen, failures]).toEqual([['before', 'next batch'], [thrown]])
    for (const { state } of [from.responder, to.initiator]) expect(state).toBe('transport')
    from.initiator.close()
  })

  it('by a getter of what map returns is an uncaught exception, and the sessions go on', async () => {
    const failures = uncaught()
    const seen: string[] = []
    const from = await wired()
    const to = await wired((texts) => seen.push(...texts))
    const names = ['messageType', 'extensionType', 'channelMessage', 'payload']
    from.responder.pipe(to.initiator, (frame) => {
      const name = names[frame.messageType]
      return name === undefined ? frame : trap(name, thrown, { messageType: 1, payload: Buffer.from('wrong') })
    })
    for (const messageType of names.keys()) {
      from.initiator.send({ messageType }, Buffer.from('given'))
      await eventually(() => expect(failures).toHaveLength(messageType + 1))
    }
    from.initiator.send({ messageType: 9 }, Buffer.from('right'))
    await eventually(() => expect(seen).toEqual(['right']))
    expect(failures).toEqual(names.map(() => thrown))
    from.initiator.close()
  })

  it('by a getter of the options of a session makes no session', () => {
    const sessions = (): number => inspect().filter(({ kind }) => kind === 'sv2-session').length
    const before = sessions()
    const names = ['authorityPublicKey', 'maxFrameSize', 'outputSize', 'pool']
    for (const name of names) {
      expect(thrownBy(() => Sv2Session.initiator(trap(name, thrown)))).toEqual({ reason: thrown })
    }
    for (const name of [...names, 'authoritySecretKey', 'certificateValiditySeconds']) {
      const options = trap(name, thrown, authority)
      expect(thrownBy(() => Sv2Session.responder(options))).toEqual({ reason: thrown })
    }
    expect(sessions()).toBe(before)
  })

  it('by a getter of the header or the fields of send() sends nothing', () => {
    const { initiator, responder } = pair()
    for (const name of ['messageType', 'extensionType', 'channelMessage']) {
      const header = trap(name, thrown, { messageType: 1 })
      expect(thrownBy(() => initiator.send(header, Buffer.from('x')))).toEqual({ reason: thrown })
    }
    const fields = { channelId: 1, lastSequenceNumber: 2, newSubmitsAcceptedCount: 3, newSharesSum: 4n }
    for (const name of Object.keys(fields)) {
      const given = trap(name, thrown, fields)
      expect(thrownBy(() => initiator.send(SubmitSharesSuccess, given))).toEqual({ reason: thrown })
    }
    expect(initiator.output.available).toBe(0)
    initiator.send(SubmitSharesSuccess, fields)
    expect(SubmitSharesSuccess.decode(responder.receive(drain(initiator)).at(0)!.payload)).toEqual(fields)
  })
})
