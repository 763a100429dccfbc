/** What both halves of a byte ring have: the producer works on the room, the consumer on the bytes. */
export interface RingHalf extends Disposable {
  /** The ring's, in bytes. */
  readonly size: number
  /** Bytes ever passed through this half, modulo 2^64. */
  readonly position: bigint
  /** Producer: room to write. Consumer: bytes to read. */
  readonly available: number
  /** True when nothing is in the ring. */
  readonly isEmpty: boolean
  /** The other half has ended or was released. */
  readonly ended: boolean
  /** This half will do nothing any more; the other hears of it. */
  end(): void
  /** Ends this half and gives its share of the memory back. True the first time, false after. */
  release(): boolean
}
