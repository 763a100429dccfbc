import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { expect, it } from 'vitest'
import { messages } from '../../../src/sv2/messages/index.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = join(root, 'src/sv2/messages')

it('is what the schema says', () => {
  execFileSync(process.execPath, ['scripts/generate-messages.mjs', '--check'], { cwd: root })
})

it('has every message of the schema', () => {
  const schema = JSON.parse(readFileSync(join(folder, 'schema.json'), 'utf8')) as { name: string }[]
  expect(messages.map(({ name }) => name)).toEqual(schema.map(({ name }) => name))
  expect(messages).toHaveLength(44)
})

it('imports nothing of Node and nothing native', () => {
  const modules = readdirSync(folder).filter((name) => name.endsWith('.ts'))
  const imported = modules.flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/from '([^']+)'/g)].map(([, from]) => from),
  )
  const outside = new Set(imported.filter((from) => !from?.startsWith('./')))
  expect([...outside]).toEqual(['../../support/errors.js'])
  expect(readFileSync(join(root, 'src/support/errors.ts'), 'utf8')).not.toMatch(/^import/m)
})

/** The minified bundle of a module with this code. */
async function bundled(code: string): Promise<string> {
  const bundle = await rolldown({
    input: 'entry',
    platform: 'browser',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry' ? '\0entry' : null),
        load: (id) => (id === '\0entry' ? code : null),
      },
    ],
  })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  return output[0].code
}

const index = join(folder, 'index.ts')

it.each(['SubmitSharesStandard', 'SubmitSharesSuccess', 'SetTarget'])('%s alone takes at most 6 kB', async (name) => {
  const code = await bundled(`import { ${name} } from '${index}'; globalThis.message = ${name}`)
  expect(code.length).toBeLessThanOrEqual(6_000)
})

it('runs without anything of Node', async () => {
  const code = await bundled(`import * as sv2 from '${index}'; export const made = (use) => use(sv2)`)
  // `new Function` sees the language alone, and what browsers have besides.
  const run = new Function('process', 'Buffer', 'require', `${code.replace(/export\s*\{[^}]*\};?\s*$/, '')}; return 1`)
  expect(run()).toBe(1)
})
