// `npm start`: sets everything up and runs the relay demo. Arguments go to the demo: `npm start -- --miners 10`.
import { spawn } from 'node:child_process'
import { build, install, root } from './setup.mjs'

install()
build()
const demo = spawn(process.execPath, [`${root}dist/src/cli/main.js`, 'demo', ...process.argv.slice(2)], {
  stdio: 'inherit',
})
// The demo drains and still reports. A Ctrl-C that also reaches it from the terminal counts once.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => demo.kill(signal))
demo.on('exit', (code) => process.exit(code ?? 1))
