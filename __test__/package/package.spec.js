import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { rootFaults } from '../../scripts/package/check.mjs'
import { outdatedManifests } from '../../scripts/package/manifests.mjs'
import { installPackage } from './install.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
let base
let project
let env
let target
let packed

test.before(async () => {
  ;({ base, project, env, target, packed } = await installPackage())
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

test('its types resolve and are strict, for ES modules and CommonJS', (t) => {
  for (const name of ['user.ts', 'user-commonjs.cts'])
    cpSync(join(root, '__test__/package/project', name), join(project, name))
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    module: 'node16',
    target: 'ES2022',
    typeRoots: [join(root, 'node_modules/@types')],
  }
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['user.ts', 'user-commonjs.cts'] }),
  )
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')], {
    cwd: project,
    encoding: 'utf8',
  })
  t.is(status, 0, stdout)
})

test('only what users need is in the tarball, and all of it', (t) => {
  t.deepEqual(rootFaults(packed[0]), [])
  t.deepEqual(packed[1].files.slice().sort(), [
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'THIRD-PARTY.md',
    `framepool.${target.name}.node`,
    'package.json',
  ])
})

test('nothing runs at installation', (t) => {
  for (const name of ['framepool', `framepool-${target.name}`]) {
    const manifest = JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8'))
    t.is(manifest.scripts, undefined, name)
  }
})

test('the folders of the platforms are up to date', (t) => {
  t.deepEqual(outdatedManifests(), [])
})

test('the licenses of all that is linked are with the addon', (t) => {
  const notice = readFileSync(join(project, `node_modules/framepool-${target.name}/THIRD-PARTY.md`), 'utf8')
  for (const crate of ['ring', 'secp256k1-sys', 'napi', 'bytering'])
    t.regex(notice, new RegExp(`^\\| ${crate} \\d`, 'm'))
  for (const name of ['rand_hc', 'loom', 'napi-derive', 'serde_derive'])
    t.notRegex(notice, new RegExp(`^\\| ${name} `, 'm'))
})

test('without an addon for the platform, the error says how to fix it', (t) => {
  const bare = join(base, 'bare/node_modules/framepool')
  cpSync(join(project, 'node_modules/framepool'), bare, { recursive: true })
  const source = "import('framepool').catch(({ code, message }) => console.log(code, message))"
  const printed = execFileSync(process.execPath, ['-e', source], { cwd: join(base, 'bare'), env, encoding: 'utf8' })
  t.regex(
    printed,
    new RegExp(`^ERR_DLOPEN_FAILED .*${process.platform}-${process.arch}.*framepool-${target.name} .*npm run build`),
  )
})

test('a checkout without Rust installs, and says what to do when it is imported', (t) => {
  const checkout = join(base, 'checkout')
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean)
  for (const path of files) if (existsSync(join(root, path))) cpSync(join(root, path), join(checkout, path))
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const { status, stdout, stderr } = spawnSync('npm', ['run', 'prepare'], { cwd: checkout, env, encoding: 'utf8' })
  t.is(status, 0, stderr)
  t.regex(stdout, /cargo was not found, .*Install Rust and run `npm run build`/)
  // npm shows nothing of that to those who install from a git address.
  const source = `import { SlotPool } from ${JSON.stringify(join(checkout, 'dist/index.js'))}`
  const imported = spawnSync(process.execPath, ['--input-type=module', '-e', source], { env, encoding: 'utf8' })
  t.regex(imported.stderr, /native addon for .* is not installed: .*with Rust installed, `npm run build` builds it/)
})
