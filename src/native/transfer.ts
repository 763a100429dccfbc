import { check, control } from './call.js'
import type { Handle } from './handle.js'
import { bound } from './load.js'
import { readBacklog, type SlotBacklog, writeBacklog } from './slot.js'
import { Kind, Word } from './words.js'

const { ticketMake, ticketAdopt, regionView, regionWatch, regionForget } = bound

/** Takes what the control block names out of this isolate: into a ticket, for example. If it throws, nothing has left. */
export type Carrier = () => void

/** A ticket's text for what `depart` has a carrier take out. */
export function makeTicket(depart: (carrier: Carrier) => void): string {
  let text = ''
  depart(() => {
    text = ticketMake()
    check()
  })
  return text
}

/** Takes in what a ticket stands for. Out: Kind, and what belongs to it. */
export function adoptTicket(text: string): void {
  control[Word.Facade] = bound.facade
  ticketAdopt(text)
  check()
}

/** A slice in a slot of a pool leaves. Out: NextSlot, LastSlot, Next, Room. */
export function departSlot(pool: SlotBacklog, slot: number, carrier: Carrier): void {
  writeBacklog(pool)
  control[Word.Kind] = Kind.Slot
  control[Word.Slot] = slot
  carrier()
  readBacklog(pool)
}

/** What a handle names leaves. `size`: of a buddy buffer its length. */
export function depart(kind: Kind, handle: Handle, carrier: Carrier, size = 0): void {
  control[Word.Kind] = kind
  control[Word.Handle] = handle.index
  control[Word.Generation] = handle.generation
  control[Word.Size] = size
  carrier()
}

/** The pool that the last call gave. */
export function replyPool(): Handle {
  return { index: control[Word.Pool]!, generation: control[Word.PoolGeneration]! }
}

/** The memory of another isolate's pool that the last call gave. */
export function replyRegion(): Handle {
  return { index: control[Word.Region]!, generation: control[Word.RegionGeneration]! }
}

function writeRegion(region: Handle): void {
  control[Word.Region] = region.index
  control[Word.RegionGeneration] = region.generation
}

export function foreignRegionView(region: Handle): ArrayBuffer {
  writeRegion(region)
  const view = regionView()
  check()
  return view
}

/** Has `closed` called when the region's pool is gone. Returns false, and calls nothing, if the pool is gone already. */
export function watchRegion(region: Handle, closed: () => void): boolean {
  writeRegion(region)
  regionWatch(closed)
  check()
  return control[Word.Wait] !== 0
}

/** Gives up this isolate's share of it. */
export function forgetRegion(region: Handle): void {
  writeRegion(region)
  regionForget()
  check()
}
