import { inspect } from 'node:util'

type Prototype<T> = { readonly prototype: T; readonly name: string }

/**
 * Makes `console.log` and `util.inspect` show objects of `type` as `name` with what `parts` returns: fields, and texts of their own. It must
 * not throw for an object that is released, moved or closed.
 */
export function inspectable<T extends object>(
  type: Prototype<T>,
  parts: (object: T) => object | string,
  { name }: { readonly name: string } = type,
): void {
  const show = function (this: T, depth: number, options: object): string {
    try {
      const shown = parts(this)
      return `${name} ${typeof shown === 'string' ? `{ ${shown} }` : inspect(shown, { ...options, depth })}`
    } catch {
      // The prototype, an object that only inherits from it, or options that are not an object.
      return `${name} {}`
    }
  }
  Object.defineProperty(type.prototype, inspect.custom, { value: show, configurable: true, writable: true })
}

/**
 * Makes `postMessage(object)` throw a DataCloneError, with the text of `reason`: otherwise the object would arrive as `{}`. Structured cloning
 * copies what an object has of its own, and no symbol can be copied.
 */
export function uncloneable(object: object, reason: symbol): void {
  ;(object as { uncloneable?: symbol }).uncloneable = reason
}

/** Returns `shown`, or the text `gone` for an object on which `check` throws. */
export function shownIf(check: () => void, gone: string, shown: () => object): object | string {
  try {
    check()
  } catch {
    return gone
  }
  return shown()
}
