/** Names an object of this isolate in the native tables. */
export interface Handle {
  readonly index: number
  readonly generation: number
}
