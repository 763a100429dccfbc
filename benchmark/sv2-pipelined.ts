// A miner that keeps frames of 64 B in transit through a relay and back.
import { connect } from 'node:net'
import { Sv2Session } from '../src/sv2/index.js'
import type { RelayedPool } from './sv2-relayed-pool.js'

const PAYLOAD = Buffer.alloc(64, 7)

/** Sends `frames` through the relay, half of them each way, with `atOnce` in transit at any time. */
export type Pipeline = (atOnce: number, frames: number) => Promise<void>

export async function pipelined({ port, authorityPublicKey }: RelayedPool): Promise<Pipeline> {
  const session = Sv2Session.initiator({ authorityPublicKey })
  let onEcho = (_count: number): void => {}
  session.attach(connect(port, '127.0.0.1'), (batch) => onEcho(batch.length))
  await session.established()
  return (atOnce, frames) =>
    new Promise((resolve) => {
      const trips = frames / 2
      let [sent, echoed] = [0, 0]
      const send = (count: number): void => {
        const end = Math.min(sent + count, trips)
        for (; sent < end; sent++) session.send({ messageType: 1 }, PAYLOAD)
      }
      onEcho = (count) => {
        echoed += count
        if (echoed === trips) resolve()
        send(count)
      }
      send(atOnce)
    })
}
