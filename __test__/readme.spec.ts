import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import * as framepool from '../index.js'
import * as sv2 from '../src/sv2/index.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Folders in docs/ without hand-written pages. */
const NO_PAGES = /^docs\/(api|typedoc)\//

/** Every page for readers, relative to the root. */
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  'benchmark/README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((name) => `docs/${name.replaceAll('\\', '/')}`)
    .filter((name) => name.endsWith('.md') && !NO_PAGES.test(name))
    .sort(),
]

/** Returns a pattern that matches `text` alone. `RegExp.escape` is not in all versions of Node. */
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

const textOf = (page: string): string => readFileSync(join(root, page), 'utf8')

/** Returns the code blocks of a page in one language. */
function blocksOf(page: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms')
  return [...textOf(page).matchAll(fence)].map(([, source]) => source!)
}

/** Returns the text of a page without its code. */
function proseOf(page: string): string {
  return textOf(page)
    .replace(/^```.*?^```$/gms, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()#]/g, ' '))
}

/** Returns the anchors that GitHub gives the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>()
  const headings = textOf(page)
    .replace(/^```.*?^```$/gms, '')
    .matchAll(/^#{1,6} (.+)$/gm)
  for (const [, heading] of headings) {
    const base = heading!
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}\- _]/gu, '')
      .trim()
      .replaceAll(' ', '-')
    let anchor = base
    for (let count = 1; anchors.has(anchor); count++) anchor = `${base}-${count}`
    anchors.add(anchor)
  }
  return anchors
}

/** Returns the links of a page, without those to other sites. */
function linksOf(page: string): string[] {
  const prose = proseOf(page)
  const links = [...prose.matchAll(/\]\(([^()\s]+)\)/g), ...prose.matchAll(/\b(?:src|srcset|href)="([^"\s]+)"/g)]
  return links.map(([, link]) => link!).filter((link) => !/^[a-z]+:/.test(link))
}

describe.each(pages)('%s', (page) => {
  const examples = blocksOf(page, 'js')

  it.each(examples.map((source, index) => ({ name: `example ${index + 1}: ${source.split('\n')[0]}`, source })))(
    '$name',
    ({ source }) => {
      const printed = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
        cwd: root,
        encoding: 'utf8',
      })
      // A comment behind a call states its expected output.
      const promised = [...source.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, line]) => `${line}\n`)
      expect(printed).toBe(promised.join(''))
    },
    30_000,
  )

  it('has as many examples as this test found', () => {
    expect(examples.length).toBe(textOf(page).split('```js\n').length - 1)
    expect(blocksOf(page, 'ts').length).toBe(textOf(page).split('```ts\n').length - 1)
  })

  it('has no broken links', () => {
    const broken = linksOf(page).filter((link) => {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), decodeURIComponent(path))
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && !(target.endsWith('.md') && anchorsOf(target).has(anchor))
    })
    expect(broken).toEqual([])
  })
})

it('the TypeScript in the pages has no type errors', async () => {
  const folder = mkdtempSync(join(root, 'dist', '.pages-'))
  try {
    const settings = {
      extends: '../../tsconfig.json',
      // Resolves the package by its own name, as in users' projects.
      compilerOptions: { rootDir: '.', types: ['node'], typeRoots: ['../../node_modules/@types'] },
      include: ['*.ts'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings))
    let count = 0
    for (const page of pages) {
      for (const source of blocksOf(page, 'ts')) {
        writeFileSync(join(folder, `${page.replace(/\W/g, '-')}-${++count}.ts`), `${source}export {}\n`)
      }
    }
    expect(count).toBeGreaterThan(0)
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder]).catch((error) => error)
    expect(stdout).toBe('')
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 60_000)

describe('The pages name files that exist', () => {
  it.each(pages)('%s', (page) => {
    const named = textOf(page).match(/\b(?:src|crates|__test__|scripts|benchmark|examples)\/[\w./-]*[\w/]/g) ?? []
    // Benchmarks write their own page.
    const missing = named.filter((path) => !existsSync(join(root, path)) && path !== 'benchmark/report.html')
    expect(missing).toEqual([])
  })
})

describe('docs/user-code.md', () => {
  /** The tests of each row: specs, and names in which "…" stands for anything. */
  const rows: { call: string; tests: { spec: string; name: string }[] }[] = []
  let usual = ''
  for (const line of textOf('docs/user-code.md').split('\n')) {
    usual = /^Tests are in `__test__\/([^`]+)`/.exec(line)?.[1] ?? usual
    if (!/^\| (?!Call |-)/.test(line)) continue
    const cells = line.split(' | ')
    let spec = usual
    const tests = cells
      .at(-1)!
      .replace(/ *\|$/, '')
      .split('; ')
      .map((test) => {
        const [, named, name] = /^(?:`([^`]+)`: )?(.+)$/.exec(test.trim())!
        spec = named ?? spec
        return { spec, name: name! }
      })
    rows.push({ call: cells[0]!.slice(2).trim(), tests })
  }

  /** Returns the names of the tests of a spec, and of its groups, as they are written there. */
  function testsOf(spec: string): string[] {
    const names = readFileSync(join(root, '__test__', spec), 'utf8').matchAll(
      /\(\s*(['"`])((?:(?!\1).)+)\1,\s*(?:async )?[({]/g,
    )
    return [...names].map(([, , name]) => name!)
  }

  it('has a table for each kind of call', () => {
    expect(rows.length).toBeGreaterThan(50)
    expect(new Set(rows.map(({ tests }) => tests[0]!.spec)).size).toBeGreaterThan(5)
  })

  it.each(rows)('names tests that exist: $call', ({ tests }) => {
    const missing = tests.filter(({ spec, name }) => {
      const pattern = new RegExp(`^${escaped(name).replace(/ ?…/g, '.*')}$`)
      return !testsOf(spec).some((test) => pattern.test(test))
    })
    expect(missing).toEqual([])
  })
})

describe('The pages cover everything', () => {
  it('docs/README.md links to every page', () => {
    const listed = ['docs/README.md', 'docs/decisions/README.md'].flatMap((list) =>
      linksOf(list).map((link) => join(dirname(list), link.split('#')[0]!).replaceAll('\\', '/')),
    )
    const missing = pages.filter(
      (page) => page.startsWith('docs/') && page !== 'docs/README.md' && !listed.includes(page),
    )
    expect(missing).toEqual([])
  })

  const classes = Object.entries({ ...framepool, ...sv2 }).filter(
    ([, value]) => typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value)),
  ) as [string, { prototype: object }][]
  /** Page of each class. */
  const homes: Record<string, string> = {
    SlotPool: 'slot-pool',
    SystemMemoryBuffer: 'slot-pool',
    Slice: 'slot-pool',
    BudgetPool: 'budget-pool',
    BudgetAllocation: 'budget-pool',
    BuddyPool: 'buddy-pool',
    BuddyBuffer: 'buddy-pool',
    ByteRing: 'byte-ring',
    Producer: 'byte-ring',
    Consumer: 'byte-ring',
    SliceChannel: 'threads',
    FrameReader: 'framing',
    FrameWriter: 'framing',
    MemoryBudget: 'memory-budget',
    Reservation: 'memory-budget',
    SliceSender: 'threads',
    SliceReceiver: 'threads',
    Sv2Session: 'sv2-sessions',
    Relay: 'relay',
    FramePoolError: 'errors',
  }

  it.each(classes)('every member of %s is on its page', (name, { prototype }) => {
    const text = textOf(`docs/${homes[name]}.md`)
    const members: string[] = []
    for (let at = prototype; at !== Object.prototype && !/^(EventEmitter|Error)$/.test(at.constructor.name); ) {
      members.push(...Object.getOwnPropertyNames(at))
      at = Object.getPrototypeOf(at) as object
    }
    // Every function has `length`, `name` and `prototype`, so only the other statics count.
    members.push(...Object.getOwnPropertyNames(at(name)).filter((key) => !/^(length|name|prototype)$/.test(key)))
    const missing = members.filter(
      (member) => member !== 'constructor' && !new RegExp(`\`[^\`]*\\b${member}\\b`).test(text),
    )
    expect(missing).toEqual([])

    function at(className: string): object {
      return classes.find(([key]) => key === className)![1]
    }
  })

  it.each(Object.keys({ ...framepool, ...sv2 }))('%s is in docs/README.md', (name) => {
    expect(textOf('docs/README.md')).toContain(`\`${name}\``)
  })

  it('docs/README.md has every type', () => {
    const source = (path: string): string => readFileSync(join(root, path), 'utf8')
    const lists = [source('index.ts'), source('src/sv2/index.ts')].flatMap((text) => [
      ...[...text.matchAll(/export type \{([^}]*)\}/g)].flatMap(([, list]) => list!.match(/\w+/g)!),
      ...[...text.matchAll(/\btype (\w+)/g)].map(([, type]) => type!),
    ])
    const text = textOf('docs/README.md')
    expect(lists.filter((type) => !text.includes(`\`${type}\``))).toEqual([])
  })

  it('docs/errors.md has every code', () => {
    const codes = readFileSync(join(root, 'src/support/errors.ts'), 'utf8').match(/(?<=')ERR_[A-Z0-9_]+(?=')/g)!
    const text = textOf('docs/errors.md')
    expect([...new Set(codes)].filter((code) => !text.includes(`\`${code}\``))).toEqual([])
  })

  it('benchmark/README.md has every benchmark and its target', () => {
    const text = textOf('benchmark/README.md')
    const scenarios = readdirSync(join(root, 'benchmark')).filter((name) => {
      return name.endsWith('.ts') && readFileSync(join(root, 'benchmark', name), 'utf8').startsWith('/**')
    })
    const targets = scenarios.flatMap((name) => {
      return [
        ...readFileSync(join(root, 'benchmark', name), 'utf8')
          .split('*/')[0]!
          .matchAll(/\bP\d+\b/g),
      ].map(([p]) => p)
    })
    const missing = [...targets, ...scenarios.map((name) => name.slice(0, -3))].filter((word) => !text.includes(word))
    expect(missing).toEqual([])
  })
})
