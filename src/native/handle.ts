/** Names an object of this isolate in the native tables. A handle whose object is gone never names another. */
export interface Handle {
  readonly index: number
  readonly generation: number
}
