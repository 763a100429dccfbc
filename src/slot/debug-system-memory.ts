import type { Handle } from '../native/handle.js'
import { trace, untrace } from '../native/trace.js'
import { abandonSystemMessage, SystemMemory } from './system-memory.js'

/** Memory of a `SystemMemoryBuffer` in debug mode, which traces each message. */
export class TracedSystemMemory extends SystemMemory {
  protected override watch(): void {
    // The trace of each message frees it.
  }

  protected override begun(handle: Handle): void {
    trace(this, 'system-memory-buffer', handle, abandonSystemMessage)
  }

  protected override taken(): void {
    untrace(this)
  }
}
