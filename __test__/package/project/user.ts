// A user's program, as an ES module. `user-commonjs.cts` has it as a CommonJS one.
import {
  type AeadBuffer,
  BudgetPool,
  FramePoolError,
  type Buffer as PoolBuffer,
  type Slice,
  SliceChannel,
  type SliceSender,
  SlotPool,
} from 'framepool'
import { createRelay, type Disconnection, type FrameBatch, Sv2Session } from 'framepool/sv2'
import { dispatcher, type Message, messageOf, SetTarget, type SetTargetFields } from 'framepool/sv2/messages'

const pool: PoolBuffer & AeadBuffer = new SlotPool(1024)
export const slice: Slice = pool.getDataOwned()
export const batch: FrameBatch = Sv2Session.initiator().receive(new Uint8Array())
export const sender: SliceSender<Slice> = SliceChannel.create<Slice>(4).sender
export class OwnPool extends BudgetPool {}

export function codeOf(error: unknown): string | undefined {
  return error instanceof FramePoolError ? error.code : undefined
}

export function listen(port: number, onEnd: (event: Disconnection) => void): void {
  const relay = createRelay({
    listen: { port },
    upstream: { host: '127.0.0.1', port },
    authorityPublicKey: '',
    authoritySecretKey: '',
  })
  relay.on('disconnect', onEnd)
}

// @ts-expect-error a capacity is a number
new SlotPool('1024')

export const message: Message<'SetTarget', SetTargetFields> = SetTarget
export const dispatch = dispatcher({ SetTarget: ({ channelId }) => channelId + 1 })
export const name: string | undefined = messageOf({ extensionType: 0, messageType: 0x21 })?.name

// @ts-expect-error a channel's id is a number
SetTarget.encode({ channelId: '1', maximumTarget: new Uint8Array(32) })
