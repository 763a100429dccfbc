// Runs every example in turn. `node examples/*.js` would run the first with the others as its arguments.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../examples/', import.meta.url))
const names = readdirSync(folder).filter((name) => name.endsWith('.js'))
for (const name of names.sort()) {
  console.log(`── examples/${name}`)
  execFileSync(process.execPath, [folder + name], { stdio: 'inherit' })
  console.log()
}
