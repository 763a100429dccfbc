/**
 * A ticket, as `move()` and `share()` return it. It is a plain object: post it to another worker, which calls `adopt()` on it once.
 * Until then the object that it stands for belongs to the isolate that made the ticket.
 */
export type Ticket<T> = {
  /** Random text of 32 characters that names the object. */
  readonly framepool: string
  /** Type of what `adopt()` returns. It exists in types only. */
  readonly __type?: T
}
