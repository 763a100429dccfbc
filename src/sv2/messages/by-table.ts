import type { Layout } from './layout.js'
import type { Code } from './message.js'
import { upTo } from './read.js'
import { putTlvs } from './tlv.js'
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
      // This may run user code. Nothing after it does.
      const values = valuesOf(given, fields)
      const length = putTlvs(null, putAll(null, 0, layout, values), tlvs, layout)
      const into = room(target, length, layout)
      if (into) putTlvs(into, putAll(into, 0, layout, values), tlvs, layout)
      return target === undefined ? into! : length
    },
  ]
}
