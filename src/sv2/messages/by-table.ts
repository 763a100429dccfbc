import type { Layout } from './layout.js'
import type { Code } from './message.js'
import { upTo } from './read.js'
import { type Part, tlvParts } from './tlv.js'
import { putAll, room, valuesOf } from './write.js'

/** Makes the code of a message that goes by the table of its fields. It is slower than code of its own, and takes no room. */
export function byTable<Fields extends object>(layout: Layout): Code<Fields> {
  const { fields } = layout
  return [
    (payload) => {
      const values = {}
      upTo(payload, layout, values)
      return values as Fields
    },
    (given, tlvs, target) => {
      // These may run user code. Nothing after them does.
      const parts: Part[] = [[layout, valuesOf(given, fields)], ...tlvParts(layout, tlvs)]
      const putParts = (into: Uint8Array | null): number =>
        parts.reduce((end, [part, values]) => putAll(into, end, part, values), 0)
      const length = putParts(null)
      const into = room(target, length, layout)
      if (into) putParts(into)
      return target === undefined ? into! : length
    },
  ]
}
