import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const pages = ['', 'docs/', 'docs/decisions/'].flatMap((folder) => {
  const names = readdirSync(root + folder).filter((name) => name.endsWith('.md'))
  return names.map((name) => folder + name)
})

describe.each(pages)('%s', (page) => {
  const examples = [...readFileSync(root + page, 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, source]) => source!)

  it.each(examples.map((source, index) => ({ name: `example ${index + 1}: ${source.split('\n')[0]}`, source })))(
    '$name',
    ({ source }) => {
      const printed = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
        cwd: root,
        encoding: 'utf8',
      })
      // What an example prints stands in a comment behind the call.
      const promised = [...source.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, line]) => `${line}\n`)
      expect(printed).toBe(promised.join(''))
    },
    30_000,
  )

  it('has the number of examples that this test found', () => {
    expect(examples.length).toBe(readFileSync(root + page, 'utf8').split('```js\n').length - 1)
  })
})
