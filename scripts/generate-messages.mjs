// `npm run generate:messages`: writes the codecs of all Sv2 messages, and the table of docs/sv2-messages.md, from
// src/sv2/messages/schema.json. With --check it writes nothing and fails if a file is not what it would write.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = 'src/sv2/messages/'
const page = 'docs/sv2-messages.md'

const PROTOCOLS = {
  common: 'Common messages, which every connection uses',
  mining: 'The mining protocol',
  'job-declaration': 'The job declaration protocol',
  'template-distribution': 'The template distribution protocol',
  extensions: 'Extension 0x0001: negotiation of extensions',
}

/** For every type of the schema: the TypeScript type, the constant, its size unless that depends on the value, and the documented range. */
const TYPES = {
  BOOL: { ts: 'boolean', constant: 'BOOL', size: 1, about: 'BOOL, of which bit 0 alone counts' },
  U8: { ts: 'number', constant: 'U8', size: 1, about: 'U8' },
  U16: { ts: 'number', constant: 'U16', size: 2, about: 'U16' },
  U24: { ts: 'number', constant: 'U24', size: 3, about: 'U24' },
  U32: { ts: 'number', constant: 'U32', size: 4, about: 'U32' },
  F32: { ts: 'number', constant: 'F32', size: 4, about: 'F32' },
  U64: { ts: 'bigint', constant: 'U64', size: 8, about: 'U64' },
  U256: { ts: 'Uint8Array', constant: 'U256', size: 32, about: 'U256: 32 bytes' },
  STR0_255: { ts: 'string', constant: 'STR0_255', about: 'STR0_255: 0 to 255 bytes' },
  B0_32: { ts: 'Uint8Array', constant: 'B0_32', about: 'B0_32: 0 to 32 bytes' },
  B0_255: { ts: 'Uint8Array', constant: 'B0_255', about: 'B0_255: 0 to 255 bytes' },
  B0_64K: { ts: 'Uint8Array', constant: 'B0_64K', about: 'B0_64K: 0 to 65,535 bytes' },
  'OPTION[U32]': { ts: 'number | null', constant: 'OPTION_U32', about: 'OPTION[U32]' },
  'SEQ0_255[U256]': list('SEQ0_255_U256', 'Uint8Array', 'SEQ0_255[U256]: at most 255 of 32 bytes'),
  'SEQ0_64K[U16]': list('SEQ0_64K_U16', 'number', 'SEQ0_64K[U16]: at most 65,535'),
  'SEQ0_64K[U32]': list('SEQ0_64K_U32', 'number', 'SEQ0_64K[U32]: at most 65,535'),
  'SEQ0_64K[U256]': list('SEQ0_64K_U256', 'Uint8Array', 'SEQ0_64K[U256]: at most 65,535 of 32 bytes'),
  'SEQ0_64K[B0_16M]': list(
    ...['SEQ0_64K_B0_16M', 'Uint8Array', 'SEQ0_64K[B0_16M]: at most 65,535, each of at most 16,777,215 bytes'],
  ),
}

function list(constant, element, about) {
  return { ts: `readonly ${element}[]`, constant, about }
}

/** Functions that read, check and write the fields of messages that are marked `fast`: they have code of their own. */
const FAST = {
  U32: {
    read: (at) => `u32(payload, ${at})`,
    fits: (value) => `isU32(${value})`,
    write: (at, value) => `writeU32(into, ${at}, ${value})`,
  },
  U64: {
    read: (at) => `u64(payload, ${at})`,
    fits: (value) => `isU64(${value})`,
    write: (at, value) => `writeU64(into, ${at}, ${value})`,
  },
  B0_32: {
    read: (at) => `bytes(payload, ${at}, B0_32)`,
    size: (value) => `putBytes(null, 0, ${value}, B0_32)`,
    write: (at, value) => `putBytes(into, ${at}, ${value}, B0_32)`,
  },
}

function hex(value, digits) {
  return `0x${value.toString(16).padStart(digits, '0')}`
}

/** Names that the generated code has for itself. */
const TAKEN = ['payload', 'layout', 'given', 'target', 'tlvs', 'size', 'into', 'pack']

const schema = JSON.parse(readFileSync(`${root}${folder}schema.json`, 'utf8')).map((entry) => ({
  ...entry,
  messageType: Number(entry.messageType),
  fields: entry.fields.map((line) => {
    const [, specName, type, doc] = /^(\S+) (\S+): (.+)$/.exec(line) ?? fail(`${entry.name}: "${line}" is no field`)
    if (!Object.hasOwn(TYPES, type)) fail(`${entry.name}.${specName}: there is no type ${type}`)
    const name = specName.replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase())
    if (entry.fast && TAKEN.includes(name)) fail(`${entry.name}.${specName}: the generated code uses the name ${name}`)
    return { name, specName, type, doc, ...TYPES[type] }
  }),
}))

function capital(text) {
  return text[0].toUpperCase() + text.slice(1)
}

function fail(text) {
  throw new Error(text)
}

/** Bytes that the fields in front of the first of variable length take. */
function fixedStart(fields) {
  let at = 0
  for (const { size } of fields) {
    if (size === undefined) break
    at += size
  }
  return at
}

/**
 * Code of its own for a message, which is several times as fast as `byTable`. Only the last of its fields may be of variable
 * length.
 */
function fastCode({ name, fields }) {
  const names = fields.map((field) => field.name)
  const size = fixedStart(fields)
  const last = fields.at(-1)
  let at = 0
  const steps = fields.map((field) => {
    if (field !== last && field.size === undefined)
      fail(`${name}.${field.name}: only the last field may be of variable length`)
    const step = {
      name: field.name,
      offset: at,
      ...(FAST[field.type] ?? fail(`${name}: no fast code for ${field.type}`)),
    }
    at += field.size
    return step
  })
  const variable = last.size === undefined
  return `(layout) => {
    const [, pack] = byTable<${name}Fields>(layout)
    return [
      (payload) => {
        check(payload, ${variable ? size + 1 : size}, layout)
        ${variable ? `check(payload, endOf(payload, ${size}, ${last.constant}), layout)` : ''}
        return { ${steps.map((step) => `${step.name}: ${step.read(step.offset)}`).join(', ')} }
      },
      (given, tlvs, target) => {
        if (tlvs === undefined && target !== null) {
          const { ${names.join(', ')} } = given ?? ({} as ${name}Fields)
          ${variable ? `const size = ${size} + ${steps.at(-1).size(last.name)}` : ''}
          const into = target ?? new Uint8Array(${variable ? 'size' : size})
          if (into[${variable ? 'size' : size} - 1]! >= 0 ${steps.map((step) => (step.fits ? `&& ${step.fits(step.name)}` : '')).join('')}) {
            ${steps.map((step) => step.write(step.offset, step.name)).join('\n')}
            return target ? ${variable ? 'size' : size} : into
          }
        }
        // Takes the rare cases, and throws for the wrong ones.
        return pack(given, tlvs, target)
      },
    ]
  }`
}

function messageCode(message) {
  const { name, specName, protocol, extensionType, messageType, channelMessage, direction, section, doc, fields } =
    message
  const fixed = fields.filter(({ size }) => size)
  const fixedNames = fixed.map((field) => `'${field.name}'`).join(' | ') || 'never'
  const fixedParameter = fixed.length === fields.length ? '' : `, ${fixedNames}`
  const start = fixedStart(fields)
  const lengths =
    fields.length === fixed.length
      ? ` ${start} bytes.`
      : start > 0
        ? ` The first ${start} bytes are of fixed length.`
        : ''
  const header = `type ${hex(messageType, 2)}${extensionType > 0 ? ` of extension ${hex(extensionType, 4)}` : ''}, channel bit ${channelMessage ? 1 : 0}`
  return `
/** Fields of {@link ${name}}. */
export interface ${name}Fields {
${fields.map((field) => `/** ${capital(field.doc)}. ${field.about}. */\n${field.name}: ${field.ts}`).join('\n')}
}

/**
 * ${specName === name ? '' : `\`${specName}\`: `}${doc}
 *
 * ${capital(header)}; ${direction}; ${section}.${lengths}
 */
export const ${name}: Message<'${name}', ${name}Fields${fixedParameter}> = /* @__PURE__ */ message({
  name: '${name}',
${specName === name ? '' : `  specName: '${specName}',\n`}  protocol: '${protocol}',
  extensionType: ${extensionType},
  messageType: ${hex(messageType, 2)},
  channelMessage: ${channelMessage},
}, {
  ${fields.map((field) => `${field.name}: ${field.constant},`).join('\n')}
}, ${message.fast ? fastCode(message) : 'byTable'})
`
}

/** An import of what `code` uses of a module. */
function imports(code, module) {
  const source = readFileSync(`${root}${folder}${module}.ts`, 'utf8')
  const exported = [...source.matchAll(/^export (const|function) (\w+)/gm)]
  const withoutComments = code.replaceAll(/^\s*(\/?\*).*$/gm, '')
  // A function is called or is the last argument; its name may also be that of a type.
  const used = exported
    .filter(([, kind, name]) =>
      new RegExp(`\\b${name}${kind === 'const' ? '[(,; )\\n]' : '(\\(|\\)\\n)'}`).test(withoutComments),
    )
    .map(([, , name]) => name)
  return used.length > 0 ? `import { ${used.sort().join(', ')} } from './${module}.js'\n` : ''
}

const NOTICE = '// Generated from schema.json by `npm run generate:messages`; do not edit.\n'

function protocolFile(protocol) {
  const code = schema
    .filter((entry) => entry.protocol === protocol)
    .map(messageCode)
    .join('')
  return `${NOTICE}${imports(code, 'by-table')}${imports(code, 'field-type')}import { type Message, message } from './message.js'
${imports(code, 'read')}${imports(code, 'tlv')}${imports(code, 'write')}
// ${PROTOCOLS[protocol]}.
${code}`
}

function catalogueFile() {
  const lines = Object.keys(PROTOCOLS).map((protocol) => {
    const names = schema
      .filter((entry) => entry.protocol === protocol)
      .flatMap(({ name }) => [name, `type ${name}Fields`])
    return `import { ${names.join(', ')} } from './${protocol}.generated.js'`
  })
  return `${NOTICE}${lines.join('\n')}

/** Fields of every message, by the message's name. */
export interface MessageFields {
${schema.map(({ name }) => `/** Fields of \`${name}\`. */\n${name}: ${name}Fields`).join('\n')}
}

/** All messages, by protocol and type. */
export const messages: readonly [${schema.map(({ name }) => `typeof ${name}`).join(', ')}] = /* @__PURE__ */ Object.freeze([
  ${schema.map(({ name }) => `${name},`).join('\n')}
] as const)
`
}

/** The table of the documentation, between two comments of its page. */
function pageWithTable(text) {
  const rows = schema.map(
    ({ name, specName, protocol, extensionType, messageType, channelMessage, direction, fields }) => [
      extensionType > 0 ? `${hex(messageType, 2)} (extension ${hex(extensionType, 4)})` : hex(messageType, 2),
      channelMessage ? '1' : '0',
      `\`${name}\`${specName === name ? '' : `, ${specName}`}`,
      protocol,
      direction,
      fields.map((field) => `\`${field.name}\` ${field.type}`).join(', '),
    ],
  )
  const table = [['Type', 'Channel bit', 'Message', 'Protocol', 'Direction', 'Fields'], Array(6).fill('---'), ...rows]
  const marked = /(<!-- messages: generated -->\n)[\s\S]*(<!-- messages: end -->)/
  if (!marked.test(text)) fail(`${page} has no place for the table`)
  return text.replace(
    marked,
    (_, begin, end) => `${begin}\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n\n${end}`,
  )
}

function formatted(path, code) {
  return execFileSync(
    process.execPath,
    ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', `--stdin-file-path=${path}`],
    {
      cwd: root,
      input: code,
      encoding: 'utf8',
    },
  )
}

const files = Object.keys(PROTOCOLS).map((protocol) => [`${folder}${protocol}.generated.ts`, protocolFile(protocol)])
files.push([`${folder}catalogue.generated.ts`, catalogueFile()])
const wanted = files.map(([path, code]) => [path, formatted(path, code)])
if (existsSync(root + page)) wanted.push([page, formatted(page, pageWithTable(readFileSync(root + page, 'utf8')))])

const stale = wanted.filter(([path, text]) => !existsSync(root + path) || readFileSync(root + path, 'utf8') !== text)
if (process.argv.includes('--check')) {
  for (const [path] of stale)
    console.error(`${path} is not what src/sv2/messages/schema.json says: npm run generate:messages`)
  if (stale.length > 0) process.exit(1)
} else {
  for (const [path, text] of stale) writeFileSync(root + path, text)
  console.log(`${stale.length} of ${wanted.length} files written`)
}
