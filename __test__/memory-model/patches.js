// What a script can replace in the language: each replacement does as before, unless `hook` is set, which is asked first.
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

export function patchLanguage() {
  for (const [prototype, names] of PATCHED) for (const name of names) patch(prototype, name)
}

function patch(prototype, name) {
  const own = Object.getOwnPropertyDescriptor(prototype, name)
  if (own === undefined) return
  const field = own.get === undefined ? 'value' : 'get'
  const original = own[field]
  const replaced = {
    // A method, since a constructor's `prototype` would be one more difference.
    replaced(...args) {
      if (hook === null) return apply(original, this, args)
      const use = hook
      // What it calls itself is left alone.
      hook = null
      try {
        return use(String(name), () => apply(original, this, args), field === 'get')
      } finally {
        hook = use
      }
    },
  }.replaced
  Object.defineProperty(prototype, name, { ...own, [field]: replaced })
}

/** While `call` runs, `use(name, original, isGetter)` answers for what is replaced. */
export function withHook(use, call) {
  const before = hook
  hook = use
  try {
    return call()
  } finally {
    hook = before
  }
}

/** While `call` runs, without it. */
export function withoutHook(call) {
  return withHook(null, call)
}
