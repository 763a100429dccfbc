/** Describes what both halves of a byte ring have in common: the producer works on the room, the consumer on the bytes. */
export interface RingHalf extends Disposable {
  /** Size of the ring, in bytes. */
  readonly size: number
  /** Bytes ever passed through this half, modulo 2^64. */
  readonly position: bigint
  /** Bytes that can be passed through this half now: the room of a producer, or the bytes that a consumer can read. */
  readonly available: number
  /** True when nothing is in the ring. */
  readonly isEmpty: boolean
  /** True when the other half has ended or was released. */
  readonly ended: boolean
  /** Ends this half. It can do nothing more, and `ended` of the other half is true. */
  end(): void
  /** Ends this half and gives back its share of the memory. Returns true the first time, and false after that. */
  release(): boolean
}
