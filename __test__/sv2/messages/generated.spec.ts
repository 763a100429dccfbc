import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { expect, it } from 'vitest'
import { messages } from '../../../src/sv2/messages/index.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = join(root, 'src/sv2/messages')

it('is what the schema says', () => {
  execFileSync(process.execPath, ['scripts/generate-messages.mjs', '--check'], { cwd: root })
})

it('says nothing of bytes of fixed length where there are none', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.generated.ts'))
  for (const name of files) expect(readFileSync(join(folder, name), 'utf8')).not.toContain('first 0 bytes')
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
  expect([...outside].sort()).toEqual(['../../support/bytes.js', '../../support/errors.js'])
  for (const name of ['bytes', 'errors'])
    expect(readFileSync(join(root, `src/support/${name}.ts`), 'utf8')).not.toMatch(/^import/m)
})

const index = join(root, 'dist/src/sv2/messages/index.js')

/** The minified bundle of a module with this code. */
async function bundled(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', write: false },
  })
  return outputFiles[0]!.text
}

it.each(messages.map(({ name }) => name))('%s alone takes at most 6 kB', async (name) => {
  const code = await bundled(`import { ${name} } from '${index}'; globalThis.message = ${name}`)
  expect(Buffer.byteLength(code)).toBeLessThanOrEqual(6_000)
})

it('leaves out what is not used', async () => {
  const code = await bundled(`import { versionRollingMask } from '${index}'; globalThis.mask = versionRollingMask`)
  // The class of errors remains, and the code that reads the methods of Uint8Array before a script can change them.
  expect(Buffer.byteLength(code)).toBeLessThanOrEqual(500)
})

it('runs where nothing of Node is', async () => {
  const code = await bundled(`import * as sv2 from '${index}'; ${program}; globalThis.printed = run(sv2)`)
  const context = createContext({ TextEncoder, TextDecoder })
  runInContext(code, context)
  expect((context as { printed?: string }).printed).toBe(PRINTED)
})

/** Encodes a share and a setup, edits, reads and describes them, and is refused. */
const program = `function run({ SubmitSharesStandard, SetupConnection, SubmitSharesExtended, describe, dispatcher }) {
  const share = { channelId: 3, sequenceNumber: 7, jobId: 9, nonce: 0xdeadbeef, ntime: 5, version: 6 }
  const payload = SubmitSharesStandard.encode(share)
  SubmitSharesStandard.set.channelId(payload, 99)
  const frame = { extensionType: 0x8000, messageType: 0x1a, payload }
  const lines = [describe(frame), SubmitSharesStandard.get.nonce(payload)]
  lines.push(dispatcher({ SubmitSharesStandard: ({ channelId }) => channelId })(frame))
  const tlv = { extensionType: 2, fieldType: 1, value: Uint8Array.of(65) }
  const extended = SubmitSharesExtended.encode({ ...share, extranonce: Uint8Array.of(1) }, [tlv])
  lines.push(SubmitSharesExtended.tlvs(extended)[0].value.join())
  const names = { endpointHost: 'h\u00e9', vendor: 'v', hardwareVersion: '', firmware: 'f', deviceId: '' }
  const setup = SetupConnection.encode({ protocol: 0, minVersion: 2, maxVersion: 2, flags: 1, endpointPort: 9, ...names })
  lines.push(SetupConnection.decode(setup).endpointHost)
  try { SubmitSharesStandard.decode(payload.subarray(1)) } catch (error) { lines.push(error.code) }
  return lines.join(' | ')
}`
const PRINTED =
  'SubmitSharesStandard channelId=99 sequenceNumber=7 jobId=9 nonce=3735928559 ntime=5 version=6 | ' +
  '3735928559 | 99 | 65 | h\u00e9 | ERR_SV2_MESSAGE'

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)
if (browser === undefined) console.warn('no Chromium on this machine: the test of the messages in it is skipped')

it.skipIf(browser === undefined)(
  `runs in a browser${browser === undefined ? ' (skipped: no Chromium is installed)' : ''}`,
  { timeout: 120_000 },
  async () => {
    const code = await bundled(
      `import * as sv2 from '${index}'; ${program}; document.body.textContent = 'printed: ' + run(sv2)`,
    )
    const folder = mkdtempSync(join(tmpdir(), 'framepool-browser-'))
    try {
      const page = join(folder, 'page.html')
      writeFileSync(page, `<meta charset="utf-8"><body><script type="module">${code}</script>`)
      const html = execFileSync(
        browser!,
        [
          ...[
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--disable-dev-shm-usage',
            `--user-data-dir=${folder}/profile`,
          ],
          ...['--virtual-time-budget=5000', '--dump-dom', pathToFileURL(page).href],
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 110_000 },
      )
      expect(html).toContain(`printed: ${PRINTED}`)
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  },
)
