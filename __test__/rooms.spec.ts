import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const src = fileURLToPath(new URL('../src', import.meta.url))
const modules = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
const texts = new Map(modules.map((path) => [path, readFileSync(join(src, path), 'utf8')]))

/** The room of a module: the folder in src/ that it lies in. */
const roomOf = (path: string): string => path.split('/', 1)[0]!

describe('the rooms of src/', () => {
  it('form no circle', () => {
    const uses = new Map<string, Set<string>>()
    for (const [path, text] of texts) {
      for (const [, target] of text.matchAll(/^(?:import|export)[^'"]*? from '(\.[^']+)'/gm)) {
        const [from, to] = [roomOf(path), roomOf(posix.join(dirname(path), target!))]
        if (from !== to) uses.set(from, (uses.get(from) ?? new Set()).add(to))
      }
    }
    expect(uses.size).toBeGreaterThan(5)
    // Takes away the rooms that use no other, again and again. Only rooms in a circle, and those that use them, are left.
    for (let size = -1; size !== uses.size; ) {
      size = uses.size
      for (const [room, others] of uses) if (![...others].some((other) => uses.has(other))) uses.delete(room)
    }
    expect([...uses.keys()]).toEqual([])
  })

  it('give the commands only what framepool exports: the package has their modules, and the others in one file', () => {
    const foreign = [...texts].flatMap(([path, text]) =>
      [...text.matchAll(/ from '(\.[^']+)'/g)]
        .map(([, target]) => posix.join(dirname(path), target!))
        .filter((target) => path.startsWith('cli/') && !target.startsWith('cli/'))
        .map((target) => `${path}: ${target}`),
    )
    expect(foreign.length).toBeGreaterThan(5)
    const entries = ['../index.js', 'sv2/index.js', 'sv2/messages/index.js']
    expect(foreign.filter((line) => !entries.includes(line.split(': ')[1]!))).toEqual([])
  })

  it('ask for the place of a view in support/bytes.ts alone: a script can replace what others would ask', () => {
    // A view that a module has made of its own, when it was loaded.
    const harmless = 'native/travel.ts: tagNumber.buffer'
    const found = [...texts].flatMap(([path, text]) =>
      [
        ...text
          .replaceAll(/\/\*.*?\*\/|\/\/[^\n]*|`[^`]*`|'[^'\n]*'/gs, '')
          .matchAll(/[\w.?!)\]]+\.(?:byteOffset|byteLength|buffer)\b/g),
      ].map(([use]) => `${path}: ${use}`),
    )
    expect(found.filter((use) => !/^(?:cli|sv2\/messages)\//.test(use))).toEqual([harmless])
  })

  it('copy bytes by copyOf() of support/bytes.ts alone: the constructor refuses those that are detached', () => {
    const found = [...texts].flatMap(([path, text]) =>
      [...text.matchAll(/new Uint8Array\((?!0\b|[A-Z_]+\)|[^()]*,)([^()]*(?:\([^()]*\))?[^()]*)\)/g)].map(
        ([, argument]) => `${path}: ${argument}`,
      ),
    )
    // Lengths, and memory that is not copied.
    const harmless =
      /: (?:\d+|whole as ArrayBuffer|size|length(?: [-+] .*)?|header|headerLength|room|length\.call\(bytes\))$/
    expect(found.length).toBeGreaterThan(3)
    expect(found.filter((use) => !harmless.test(use))).toEqual([])
  })

  it('export functions to each other: no key of a constructor, no variable, no map that they share', () => {
    const shared = [...texts].flatMap(([path, text]) =>
      [...text.matchAll(/^export (?:let |const \w+(?:: \w+)? = (?:Symbol\(|new (?:Weak)?(?:Map|Set)\b)).*/gm)].map(
        ([line]) => `${path}: ${line}`,
      ),
    )
    expect(shared).toEqual([])
  })
})
