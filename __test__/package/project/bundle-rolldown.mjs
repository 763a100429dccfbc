// The documented setting: framepool stays outside of the bundle.
import { rolldown } from 'rolldown'

const bundle = await rolldown({
  input: ['use.mjs', 'worker.mjs'],
  platform: 'node',
  external: [/^framepool(\/|$)/],
})
await bundle.write({ dir: 'out-rolldown', entryFileNames: '[name].mjs' })
