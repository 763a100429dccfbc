/** Memory that turns bytes into bigints and floats and back: it shows one value as words, as a bigint and as a float. */
const memory = /* @__PURE__ */ new ArrayBuffer(8)
export const words = /* @__PURE__ */ new Uint32Array(memory)
export const bigints = /* @__PURE__ */ new BigUint64Array(memory)
export const floats = /* @__PURE__ */ new Float32Array(memory)

/** Index of the word that is the lower half of the bigint: it depends on the machine. */
export const LOW = /* @__PURE__ */ lowWord()

function lowWord(): number {
  bigints[0] = 1n
  return words[1]!
}
