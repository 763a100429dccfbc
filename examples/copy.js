// Copies a file and shows its progress: `node examples/copy.js from to`. Without arguments it copies a file of 64 MiB
// that it makes.
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pump } from 'framepool'

const WIDTH = 40

async function copy(from, to) {
  const source = await open(from)
  const target = await open(to, 'w')
  try {
    const { size } = await source.stat()
    const onProgress = process.stdout.isTTY ? (bytes) => show(size === 0 ? 1 : Number(bytes) / size) : undefined
    const bytes = await pump(source.fd, target.fd, { onProgress })
    console.log(`${bytes} bytes copied`)
  } finally {
    await source.close()
    await target.close()
  }
}

function show(part) {
  const done = Math.min(Math.floor(part * WIDTH), WIDTH)
  const bar = '█'.repeat(done).padEnd(WIDTH, '░')
  process.stdout.write(`\r${bar} ${Math.floor(part * 100)} %${part >= 1 ? '\n' : ''}`)
}

const [from, to] = process.argv.slice(2)
if (to) await copy(from, to)
else {
  const folder = await mkdtemp(join(tmpdir(), 'framepool-copy-'))
  try {
    await writeFile(join(folder, 'from'), Buffer.alloc(64 * 2 ** 20, 'Ciao, mundo!'))
    await copy(join(folder, 'from'), join(folder, 'to'))
  } finally {
    await rm(folder, { recursive: true })
  }
}
