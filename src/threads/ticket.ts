/**
 * What `move()` and `share()` give: plain, so that it can be posted to another worker, which has it `adopt()`ed once. Until then
 * it belongs to its sender.
 */
export type Ticket<T> = {
  /** Random text of 32 characters that names the object. */
  readonly framepool: string
  /** Only in types: what `adopt()` gives for it. */
  readonly __type?: T
}
