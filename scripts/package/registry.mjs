// A registry on this machine, with the packages as they would be published. Everything else comes from the registry that npm is set to.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { newerNode } from '../runtimes.mjs'
import { npm } from './toolchains.mjs'

/** Starts the registry with its files in `folder`, and publishes these tarballs; its address and what stops it. */
export async function startRegistry(folder, tarballs) {
  // It asks for a tag of this package, which mirrors of the registry do not have.
  const program = join(npm('verdaccio@6.10.4', { 'node-fetch': '2.7.0' }), 'bin', 'verdaccio')
  const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim()
  const port = await freePort()
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, 'config.yaml'),
    `storage: ./storage
auth: { htpasswd: { file: ./htpasswd } }
uplinks: { npm: { url: ${upstream}, maxage: 60m, timeout: 60s } }
packages:
  framepool: { access: $all, publish: $all, unpublish: $all }
  framepool-*: { access: $all, publish: $all, unpublish: $all }
  '**': { access: $all, proxy: npm }
log: { type: file, path: ./log, level: warn }
max_body_size: 20mb
`,
  )
  const url = `http://127.0.0.1:${port}/`
  const server = spawn(newerNode(), [program, '-c', join(folder, 'config.yaml'), '-l', `127.0.0.1:${port}`], {
    cwd: folder,
    stdio: 'ignore',
  })
  const stop = () => server.kill()
  process.once('exit', stop)
  try {
    await answering(url)
    const settings = join(folder, 'npmrc')
    // Publishing needs a token; this registry accepts any.
    writeFileSync(settings, `registry=${url}\n//127.0.0.1:${port}/:_authToken=none\n`)
    for (const tarball of tarballs) {
      execFileSync('npm', ['publish', '--userconfig', settings, '--registry', url, tarball], { stdio: 'pipe' })
    }
  } catch (error) {
    stop()
    throw error
  }
  return { url, stop }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function answering(url) {
  const end = Date.now() + 60_000
  while (Date.now() < end) {
    const answer = await fetch(`${url}-/ping`).catch(() => null)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`the registry at ${url} does not answer`)
}
