import type { Handle } from '../native/handle.js'
import { callerStack, trace, untrace } from '../native/trace.js'
import { abandonSystemMessage, SystemMemory } from './system-memory.js'

/** Memory of a `SystemMemoryBuffer` in debug mode, which traces each message. */
export class TracedSystemMemory extends SystemMemory {
  /** Stack of the call that begins a message. */
  #stack = ''

  protected override watch(): void {
    // The trace of each message frees it.
  }

  protected override beginning(): void {
    this.#stack = callerStack()
  }

  protected override begun(handle: Handle): void {
    trace(this, 'system-memory-buffer', handle, abandonSystemMessage, this.#stack)
  }

  protected override taken(): void {
    untrace(this)
  }
}
