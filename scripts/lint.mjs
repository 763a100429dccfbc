// `npm run lint`: runs the linters, shows what each reports, and ends with one line that counts them.
import { linters, runAll } from './stages.mjs'

await runAll(linters)
