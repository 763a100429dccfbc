import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { page } from '../../benchmark/report/page.js'
import type { Comparison, Recorded } from '../../benchmark/report/record.js'
import type { Report } from '../../benchmark/report/run.js'
import { withTables } from '../../benchmark/report/tables.js'
import { confidence, median, random } from '../../benchmark/statistics.js'
import { compareCosts } from '../../scripts/operation-costs.mjs'
import { runToEnd } from '../../scripts/run-to-end.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const report: Report = JSON.parse(readFileSync(join(root, 'benchmark/report.json'), 'utf8'))
const comparisons = report.runs.flatMap(({ records }) =>
  records.filter((result): result is Comparison => result.kind === 'comparison'),
)

describe('the report', () => {
  it('has targets, with the rounds of every comparison', () => {
    expect(comparisons.length).toBeGreaterThan(10)
    expect(comparisons.some(({ targets }) => targets.some(({ id }) => id === 'P1'))).toBe(true)
    for (const { rows, rounds } of comparisons) {
      expect(rounds).toBeGreaterThanOrEqual(5)
      expect(rows[0]!.ratio).toBe(1)
      for (const { low, ratio, high } of rows) expect(low <= ratio && ratio <= high).toBe(true)
    }
  })

  it('has every benchmark, and each came to its end', () => {
    const folder = join(root, 'benchmark')
    const benchmarks = readdirSync(folder).filter(
      (file) => file.endsWith('.ts') && readFileSync(join(folder, file), 'utf8').startsWith('/**'),
    )
    const measured = new Set(report.runs.filter(({ ok }) => ok).map(({ name }) => `${name}.ts`))
    // If this fails: npm run bench -- NAME --report
    expect(benchmarks.filter((file) => !measured.has(file))).toEqual([])
    expect(report.runs.filter(({ ok }) => !ok)).toEqual([])
  })

  it.each(['README.md', 'benchmark/README.md', 'docs/performance.md', 'docs/framing.md'])(
    'has the tables of %s',
    (name) => {
      const text = readFileSync(join(root, name), 'utf8')
      expect(text).toContain('<!-- bench:')
      // If this fails: npm run bench:tables
      expect(withTables(text, report)).toBe(text)
    },
  )

  it('makes other tables of other figures', () => {
    const text = '<!-- bench:targets -->\nold\n<!-- /bench -->'
    const table = withTables(text, report)
    expect(table).not.toContain('old')
    const slower = structuredClone(report)
    for (const { records } of slower.runs) for (const result of records) slowDown(result)
    expect(withTables(text, slower)).not.toBe(table)
    expect(() => withTables('<!-- bench:none -->\n<!-- /bench -->', report)).toThrow('there is no table none')
  })

  it('shows a figure with a limit of its own, and whether it keeps it', () => {
    const figure = (value: number): Report => {
      const found: Recorded = {
        ...{ kind: 'figure', id: 'P19', title: 'a pair' },
        unit: 'KiB',
        value,
        limit: 8,
        atLeast: false,
      }
      return { ...report, runs: [{ ...report.runs[0]!, records: [found] }] }
    }
    const table = (value: number): string => withTables('<!-- bench:targets -->\n<!-- /bench -->', figure(value))
    expect(table(5)).toMatch(/\| P19 +\| a pair +\| +\| ≤ 8 KiB +\| 5 KiB +\|/)
    expect(table(9)).toContain('| **9 KiB** |')
    expect(page(figure(5))).toContain('1 of 1 are met')
    expect(page(figure(9))).toContain('0 of 1 are met')
  })

  it('says which benchmarks failed, and how', () => {
    const whole = structuredClone(report)
    for (const run of whole.runs) run.ok = true
    expect(page(whole)).not.toContain('<h2>Failed</h2>')
    Object.assign(whole.runs[0]!, { ok: false, ended: 'no end within 240 s', records: [] })
    expect(page(whole)).toContain('<h2>Failed</h2>')
    expect(page(whole).split('no end within 240 s').length - 1).toBe(2)
  })

  it('escapes what the page shows', () => {
    const hostile = structuredClone(report)
    hostile.runs[0]!.output = '<script>alert(1)</script>'
    expect(page(hostile)).not.toContain('<script>')
  })
})

function slowDown(result: Recorded): void {
  if (result.kind !== 'comparison') return
  for (const target of result.targets) target.ratio /= 100
}

describe('a run of a benchmark', () => {
  const run = (source: string, limitSeconds = 30) =>
    runToEnd(process.execPath, ['-e', source], { limitSeconds, cwd: root, env: process.env })

  it('has what the program printed on both streams, and how it ended', async () => {
    expect(await run('console.log(1); console.error(2)')).toEqual({
      output: expect.stringMatching(/1\s+2|2\s+1/),
      ended: null,
    })
    expect((await run('process.exit(3)')).ended).toBe('exit code 3')
    expect((await run("process.kill(process.pid, 'SIGKILL')")).ended).toBe('killed by SIGKILL')
    expect((await runToEnd('/no/program', [], { limitSeconds: 30 })).ended).toContain('ENOENT')
  })

  it('ends when a program hangs, with the processes that it has started', async () => {
    const child = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })`
    const { output, ended } = await run(`console.log(${child}.pid); setInterval(() => {}, 1000)`, 2)
    expect(ended).toBe('no end within 2 s')
    await expect.poll(() => isAlive(Number(output))).toBe(false)
  })

  it('does not wait for processes that a program has left behind', async () => {
    const child = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })`
    const { output, ended } = await run(`const left = ${child}; console.log(left.pid); process.exit(1)`)
    expect(ended).toBe('exit code 1')
    await expect.poll(() => isAlive(Number(output))).toBe(false)
  })
})

/** Returns whether a process runs. One that has ended, but that nobody has asked for, does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)
if (browser === undefined) console.warn('no Chromium on this machine: the screenshots of the report are skipped')

describe.skipIf(browser === undefined)('the page in a browser', () => {
  it.each([
    ['on a phone, light', 360, []],
    ['on a desk, light', 1200, []],
    ['on a phone, dark', 360, ['--force-dark-mode', '--blink-settings=preferredColorScheme=0']],
  ] as const)('fits %s', { timeout: 120_000 }, (_, width, flags) => {
    const folder = mkdtempSync(join(tmpdir(), 'framepool-page-'))
    try {
      const file = join(folder, 'page.html')
      // Its own script reports what the browser has laid out.
      const probe =
        `<script>document.title = JSON.stringify([document.documentElement.scrollWidth, innerWidth, ` +
        `document.querySelectorAll('.row svg rect').length, getComputedStyle(document.body).backgroundColor])</script></html>`
      writeFileSync(file, page(report).replace('</html>', probe))
      const run = (...action: string[]): string =>
        execFileSync(
          browser!,
          [
            ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars'],
            ...[`--user-data-dir=${folder}/profile`, `--window-size=${width},2000`, ...flags, ...action],
            pathToFileURL(file).href,
          ],
          { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000, cwd: folder },
        )
      const [, title] = run('--dump-dom').match(/<title>(.*?)<\/title>/) as unknown as [string, string]
      const [scrollWidth, innerWidth, bars, background] = JSON.parse(title) as [number, number, number, string]
      expect(scrollWidth).toBeLessThanOrEqual(innerWidth)
      expect(bars).toBe(comparisons.reduce((sum, { rows }) => sum + rows.length, 0))
      expect(background).toBe(flags.length > 0 ? 'rgb(13, 17, 23)' : 'rgb(255, 255, 255)')
      const shot = join(folder, 'shot.png')
      run(`--screenshot=${shot}`)
      expect(existsSync(shot)).toBe(true)
      // A page without content makes a picture of a few kilobytes.
      expect(statSync(shot).size).toBeGreaterThan(20_000)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('the statistics', () => {
  it('hold the median of the values that they come from in nearly all samples', () => {
    const pick = random(7)
    let held = 0
    for (let sample = 0; sample < 100; sample++) {
      // Of the numbers 0 to 99, whose median is 49.5.
      const [low, high] = confidence(Array.from({ length: 41 }, () => pick(100)))
      if (low <= 49.5 && 49.5 <= high) held++
    }
    expect(held).toBeGreaterThan(85)
    expect(median([3, 1, 2])).toBe(2)
  })
})

describe('the gate', () => {
  const known = { one: 100, free: 0 }
  const failing = (found: Record<string, number>): boolean[] =>
    compareCosts('instructions', known, found).map(({ ok }) => ok)

  it('passes what costs at most 3 % more, and what costs less', () => {
    expect(failing({ one: 103, free: 0 })).toEqual([true, true])
    expect(failing({ one: 50, free: 0 })).toEqual([true, true])
  })

  it('fails what costs 5 % more, costs where nothing did, is new or has gone', () => {
    expect(failing({ one: 105, free: 1 })).toEqual([false, false])
    expect(failing({ one: 100, free: 0, other: 1 })).toEqual([true, true, false])
    expect(failing({ free: 0 })).toEqual([false, true])
  })

  it('has figures for every operation', () => {
    const figures = JSON.parse(readFileSync(join(root, 'benchmark/operations.json'), 'utf8'))
    expect(Object.keys(figures.instructions).length).toBeGreaterThan(5)
    expect(Object.keys(figures.bytes)).toContain('20')
  })
})
