import { inspect } from 'node:util'
import * as workers from 'node:worker_threads'
import { DEBUG } from './debug-mode.js'

type Prototype<T> = { readonly prototype: T; readonly name: string }

/**
 * Has `console.log` and `util.inspect` show objects of `type` as its name with what `parts` returns: fields, and texts of their own. It must
 * not throw for an object that is released, moved or closed.
 */
export function inspectable<T extends object>(type: Prototype<T>, parts: (object: T) => object | string): void {
  const show = function (this: T, depth: number, options: object): string {
    try {
      const shown = parts(this)
      return `${type.name} ${typeof shown === 'string' ? `{ ${shown} }` : inspect(shown, { ...options, depth })}`
    } catch {
      // The prototype, an object that only inherits from it, or options that are none.
      return `${type.name} {}`
    }
  }
  Object.defineProperty(type.prototype, inspect.custom, { value: show, configurable: true, writable: true })
}

const { markAsUncloneable } = workers as { markAsUncloneable?: (object: object) => void }

/** Has `postMessage(object)` throw a DataCloneError, where Node can do that: otherwise the object would arrive as `{}`. */
export function uncloneable(object: object): void {
  markAsUncloneable?.(object)
}

/** Does so in debug mode. For objects on message paths: the mark takes longer than their making. */
export function uncloneableInDebugMode(object: object): void {
  if (DEBUG) markAsUncloneable?.(object)
}
