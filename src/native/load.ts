import { runInNewContext } from 'node:vm'
import { threadId } from 'node:worker_threads'

import { guarded } from './call.js'
import { loadAddon } from './load-addon.js'

/** What `openBoundary()` gives. */
type Bound = { control: ArrayBuffer; facade: number } & Record<
  | 'slotWritable'
  | 'slotTake'
  | 'slotSettle'
  | 'slotTruncate'
  | 'slotDiscard'
  | 'slotConceal'
  | 'slotClose'
  | 'slotRevoke'
  | 'systemWritable'
  | 'systemTake'
  | 'systemTruncate'
  | 'heapRelease'
  | 'sessionForward'
  | 'outputForget'
  | 'outputConsume'
  | 'sessionClose'
  | 'linkJoin'
  | 'linkStep'
  | 'linkTryComing'
  | 'linkTryReplacing'
  | 'linkRelease'
  | 'linkEnd'
  | 'budgetTry'
  | 'budgetAllocateSync'
  | 'budgetRelease'
  | 'buddyTry'
  | 'buddyRelease'
  | 'ringAdvance'
  | 'ringWaitSync'
  | 'ringEnd'
  | 'ringRelease'
  | 'ringTransfer'
  | 'ringTransferEnd'
  | 'outputWrite'
  | 'channelAsk'
  | 'channelSend'
  | 'channelEnd'
  | 'channelReleaseSender'
  | 'channelReceive'
  | 'channelWaitForObjectSync'
  | 'channelReleaseReceiver'
  | 'regionForget'
  | 'waitCancel',
  () => void
> &
  Record<'heapFrom' | 'sessionReceive' | 'sessionSend', (bytes: Uint8Array) => void> &
  Record<
    | 'linkWait'
    | 'budgetAllocate'
    | 'budgetClose'
    | 'buddyAllocate'
    | 'buddyWatch'
    | 'buddyClose'
    | 'regionWatch'
    | 'ringWait'
    | 'ringTransferLater'
    | 'channelWaitForRoom'
    | 'channelWaitForObject'
    | 'outputWriteLater'
    | 'pumpStart',
    (settled: () => void) => void
  > &
  Record<
    | 'slotRegion'
    | 'slotHeap'
    | 'systemView'
    | 'heapView'
    | 'outputRegion'
    | 'budgetView'
    | 'buddyView'
    | 'buddyBuffer'
    | 'ringView'
    | 'regionView',
    () => ArrayBuffer
  > & { ticketMake(): string; ticketAdopt(nonce: string): void }

export const native = loadAddon()
export const bound = guarded(() => native.openBoundary(threadId, intrinsicTransfer()) as Bound)

/** The names of the control block's words as native code has them: for the test that compares them with `Word`. */
export function controlLayout(): string[] {
  return native.controlLayout()
}

/** The same for `Kind`. */
export function transferableKinds(): string[] {
  return native.transferableKinds()
}

/**
 * `ArrayBuffer.prototype.transfer`, with which native code detaches ArrayBuffers, from a realm of its own: in this one a
 * script may have replaced it by one that keeps the memory. Undefined where there is none.
 */
function intrinsicTransfer(): ((length: number) => ArrayBuffer) | undefined {
  // Node 20 has none, and a realm takes milliseconds.
  if (Number.parseInt(process.versions.node, 10) < 21) return undefined
  return runInNewContext('ArrayBuffer.prototype.transfer')
}
