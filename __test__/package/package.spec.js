import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { installPackage } from './install.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
let base
let project
let env

test.before(() => {
  ;({ base, project, env } = installPackage())
})

test.after.always(() => {
  if (base) rmSync(base, { recursive: true })
})

/** Runs a module in the user's project and returns its output. */
function run(source) {
  return execFileSync(process.execPath, ['--input-type=module', '-e', source], { cwd: project, env, encoding: 'utf8' })
}

test('no Rust is available', (t) => {
  for (const tool of ['cargo', 'rustc', 'cc']) {
    t.is(spawnSync(tool, ['--version'], { env }).error?.code, 'ENOENT', tool)
  }
})

test('the slot pool works', (t) => {
  const printed = run(`
    import { SlotPool } from 'framepool'
    using_(new SlotPool(64))
    function using_(pool) {
      pool.getWritable(5).set(Buffer.from('hello'))
      const slice = pool.getDataOwned()
      console.log(pool.toString(), Buffer.from(slice.bytes).toString(), slice.release(), pool.isDroppable)
      pool.close()
    }
  `)
  t.is(printed, '1-------  BACK MODE hello true true\n')
})

test('a session works', (t) => {
  const printed = run(`
    import { generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'
    const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
    const server = Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
    const client = Sv2Session.initiator({ authorityPublicKey })
    function move(from, to) {
      const bytes = new Uint8Array(from.output.available)
      from.output.read(bytes)
      return to.receive(bytes)
    }
    move(client, server)
    move(server, client)
    client.send({ messageType: 7, channelMessage: true }, Buffer.from([1, 0, 0, 0, 9]))
    const [frame] = move(client, server)
    console.log(server.state, frame.messageType, frame.channelId, [...frame.payload].join())
    server.close()
    client.close()
  `)
  t.is(printed, 'transport 7 1 1,0,0,0,9\n')
})

test('CommonJS can load it where Node allows', (t) => {
  const printed = execFileSync(process.execPath, ['-p', "require('framepool').SlotPool.SLOTS"], {
    cwd: project,
    env,
    encoding: 'utf8',
  })
  t.is(printed, '8\n')
})

test('the command is installed', (t) => {
  const framepool = join(project, 'node_modules/.bin/framepool')
  const keys = JSON.parse(execFileSync(framepool, ['keygen', '--json'], { cwd: project, env, encoding: 'utf8' }))
  t.deepEqual(Object.keys(keys).sort(), ['publicKey', 'secretKey'])
})

test('the demo runs from the installed package', (t) => {
  const framepool = join(project, 'node_modules/.bin/framepool')
  const args = ['demo', '--miners', '3', '--duration', '1', '--json']
  const printed = execFileSync(framepool, args, {
    cwd: project,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const report = JSON.parse(printed.trimEnd().split('\n').at(-1))
  t.true(report.sharesAccepted > 0)
  t.is(report.lost, 0)
  t.is(report.mismatched, 0)
})

test('its types resolve and are strict', (t) => {
  writeFileSync(
    join(project, 'user.ts'),
    `import { SlotPool, type Buffer as PoolBuffer, type Slice } from 'framepool'
     import { Sv2Session, type FrameBatch } from 'framepool/sv2'
     const pool: PoolBuffer = new SlotPool(1024)
     export const slice: Slice = pool.getDataOwned()
     export const batch: FrameBatch = Sv2Session.initiator().receive(new Uint8Array())
     // @ts-expect-error a capacity is a number
     new SlotPool('1024')
    `,
  )
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        module: 'NodeNext',
        target: 'ES2022',
        lib: ['ES2023', 'ESNext.Disposable'],
        typeRoots: [join(root, 'node_modules/@types')],
        types: ['node'],
      },
      files: ['user.ts'],
    }),
  )
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')], {
    cwd: project,
    encoding: 'utf8',
  })
  t.is(status, 0, stdout)
})

test('the tarball holds only the files that users need', (t) => {
  const installed = join(project, 'node_modules/framepool')
  t.deepEqual(readdirSync(installed).sort(), [
    'CHANGELOG.md',
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'dist',
    'package.json',
    'scripts',
  ])
  t.true(existsSync(join(installed, 'dist/src/native/binding.cjs')))
})

test('without an addon for the platform, the error says how to fix it', (t) => {
  const bare = join(base, 'bare/node_modules/framepool')
  cpSync(join(project, 'node_modules/framepool'), bare, { recursive: true })
  for (const name of readdirSync(join(bare, 'dist/src/native'))) {
    if (name.endsWith('.node')) rmSync(join(bare, 'dist/src/native', name))
  }
  const source = "import('framepool').catch(({ code, message }) => console.log(code, message))"
  const printed = execFileSync(process.execPath, ['-e', source], { cwd: join(base, 'bare'), env, encoding: 'utf8' })
  t.regex(printed, new RegExp(`^ERR_SYSTEM .*${process.platform}-${process.arch}.*npm run build`))
})
