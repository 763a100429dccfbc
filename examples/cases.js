// The three cases in which a slot pool works best, step by step. A digit is a slot taken by the message of that number
// (after 9 come a, b, c …). A dash is a free slot.
import { SlotPool } from 'framepool'

/** Writes and takes a message of one byte. */
function add(pool) {
  pool.getWritable(1)
  return pool.getDataOwned()
}

/** Prints the slots, then `event` or, without an event, the mode. */
function show(pool, event) {
  const { slots, mode } = pool.stats()
  if (event) return console.log(`${slots}  ${event}`)
  const notes = {
    full: ' (buffer is now full)',
    alloc: ' (new bytes being allocated in a new space in the heap)',
  }
  const note = mode === 'alloc' ? notes.alloc : slots.includes('-') ? '' : notes.full
  console.log(`${pool}${note}`)
}

/** Takes a message, and prints the slots and any change of the mode. */
function addAndShow(pool) {
  const before = pool.mode
  const slice = add(pool)
  show(pool, pool.mode === before ? undefined : `SWITCH TO ${pool.mode.toUpperCase()} MODE`)
  return slice
}

/** Creates a pool of 8 slots, and takes all of them in turn. */
function fill() {
  const pool = new SlotPool(8)
  show(pool)
  const slices = Array.from({ length: SlotPool.SLOTS }, () => addAndShow(pool))
  return { pool, slices }
}

{
  console.log('Case 1: buffer pool exhaustion')
  const { pool } = fill()
  // No slot is free, so these messages come from the heap.
  for (let count = 0; count < 2; count++) {
    add(pool)
    show(pool)
  }
  pool.close()
}

{
  console.log('\nCase 2: buffer pool reset to remain in back mode')
  const { pool, slices } = fill()
  // With no slice alive, the next message begins at the first slot again.
  for (const slice of slices) slice.release()
  show(pool, 'RESET')
  addAndShow(pool)
  addAndShow(pool)
  pool.close()
}

{
  console.log('\nCase 3: buffer pool switches from back to front to back modes')
  const { pool, slices } = fill()
  for (const slice of slices.slice(0, 2)) slice.release()
  show(pool, 'Consume first two data bytes from the buffer')
  addAndShow(pool)
  addAndShow(pool)
  for (const slice of slices.slice(-2)) slice.release()
  show(pool, 'Consume last two data bytes from the buffer')
  addAndShow(pool)
  addAndShow(pool)
  pool.close()
}
