// Replaces the parts of the language that a script can replace. A replacement behaves like the original unless `hook`
// is set.
const { apply } = Reflect
const typedArray = Object.getPrototypeOf(Uint8Array.prototype)
const PATCHED = [
  [
    ArrayBuffer.prototype,
    ['byteLength', 'detached', 'maxByteLength', 'resizable', 'transfer', 'transferToFixedLength', 'slice'],
  ],
  [typedArray, ['length', 'byteLength', 'byteOffset', 'buffer', 'set', 'subarray', 'fill', Symbol.toStringTag]],
  [typedArray.constructor, [Symbol.species]],
  [ArrayBuffer, [Symbol.species]],
]

let hook = null

/** Returns the line of the stack trace that names the caller of `callee`. */
function callerOf(callee) {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 1
  const trace = {}
  Error.captureStackTrace(trace, callee)
  Error.stackTraceLimit = stackTraceLimit
  return String(trace.stack).split('\n').at(1) ?? ''
}

export function patchLanguage() {
  for (const [prototype, names] of PATCHED) for (const name of names) patch(prototype, name)
}

function patch(prototype, name) {
  const own = Object.getOwnPropertyDescriptor(prototype, name)
  if (own === undefined) return
  const field = own.get === undefined ? 'value' : 'get'
  const original = own[field]
  const replaced = {
    // This is a method because a function would have a `prototype`, which the original lacks.
    replaced(...args) {
      if (hook === null) return apply(original, this, args)
      const use = hook
      // Calls that the hook makes are not hooked.
      hook = null
      try {
        return use(String(name), () => apply(original, this, args), field === 'get', callerOf(replaced))
      } finally {
        hook = use
      }
    },
  }.replaced
  Object.defineProperty(prototype, name, { ...own, [field]: replaced })
}

/** Runs `call` while `use(name, original, isGetter)` answers for the replaced functions. */
export function withHook(use, call) {
  const before = hook
  hook = use
  try {
    return call()
  } finally {
    hook = before
  }
}

/** Runs `call` without the hook. */
export function withoutHook(call) {
  return withHook(null, call)
}
